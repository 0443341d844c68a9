"""IngressClasses, or, where they may not be read, the one that the process was told of by name.

Permissions for one namespace cannot hold them: they are the cluster's. Without them Ingresses name our class all the
same, so it is taken to be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastingress.api import FORBIDDEN
from fastingress.objects import IngressClass, IngressClassSpec, ObjectMeta
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.kinds import Row
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.trouble import Trouble

if TYPE_CHECKING:
    from fastingress.sources.cluster.reflector import Reflector


class Classes(Feed):
    """The feed of IngressClasses. `name` and `controller` are those of the class that is assumed."""

    def __init__(self, row: Row, outbox: Outbox, *, name: str, controller: str) -> None:
        super().__init__(row, "", outbox)
        self._assumed = IngressClass(metadata=ObjectMeta(name=name), spec=IngressClassSpec(controller=controller))
        self._assumes = False

    def synced(self, reflector: Reflector) -> None:  # noqa: D102 # as in the base
        super().synced(reflector)
        if self._assumes:
            self._assumes = False
            if ("", self._assumed.metadata.name) not in self:
                self._outbox.delete(self._assumed.key)

    def trouble(self, reflector: Reflector, problem: Trouble | None) -> None:  # noqa: D102 # as in the base
        if problem is not None and problem.status == FORBIDDEN and not self.is_synced and not self._assumes:
            self._assumes = True
            self._outbox.upsert(self._assumed)
        super().trouble(reflector, problem)
