"""Who is told what a reflector sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from fastingress.sources.cluster.trouble import Trouble

if TYPE_CHECKING:
    from fastingress.sources.cluster.reflector import Reflector


class Sink(Protocol):
    """Takes what a reflector sees. Called in the loop; must not wait."""

    def began(self, reflector: Reflector) -> None:
        """A list begins: what is not seen until `synced` is gone."""
        ...

    def item(self, raw: bytes | msgspec.Raw, version: str) -> None:
        """An object as it is now, in JSON; it may be any bytes. The version is empty if it could not be read."""
        ...

    def gone(self, raw: bytes | msgspec.Raw) -> None:
        """An object as it was when it was deleted."""
        ...

    def synced(self, reflector: Reflector) -> None:
        """The list is complete."""
        ...

    def trouble(self, reflector: Reflector, problem: Trouble | None) -> None:
        """What keeps it from following; None when it follows again. Only what differs from the last word is told."""
        ...
