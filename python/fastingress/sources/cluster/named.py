"""Objects that are followed one by one, each by a watch of its own: so none needs the permission to list.

Secrets with `--secret-access=named`, ConfigMaps, the own Node, a published Service outside of the watched namespaces.
"""

from __future__ import annotations

from fastingress.objects import ObjectKey
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.kinds import Row
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.watches import Watches


class NamedObjects:
    """Those of one source. Runs in one loop."""

    def __init__(self, watches: Watches, outbox: Outbox) -> None:
        self._watches = watches
        self._outbox = outbox
        self._feeds: dict[ObjectKey, Feed] = {}

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._feeds

    def need(self, row: Row, namespace: str, name: str) -> None:
        """Follows the object from now on, whether it is there or not."""
        key = ObjectKey(row.kind, namespace, name)
        if key not in self._feeds:
            self._feeds[key] = self._watches.start(Feed(row, namespace, self._outbox, name=name))

    def unneed(self, kind: str, namespace: str, name: str) -> None:
        """Lets go of it."""
        feed = self._feeds.pop(ObjectKey(kind, namespace, name), None)
        if feed is not None:
            self._watches.end(feed)
