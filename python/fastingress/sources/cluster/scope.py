"""Which namespaces are watched: all, the listed ones, or those that match a selector.

With a selector the Namespaces themselves are watched. One that matches brings its objects; one that goes, or does not
match any more, takes them with it.
"""

from __future__ import annotations

from collections.abc import Callable

from fastingress.objects import ObjectKey
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.kinds import ROWS, row_for
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.watches import Watches

_KINDS = tuple(row for row in ROWS if row.where == "watched" and row.required)


class Scope:
    """Runs a feed for each kind that is always watched, in each namespace that is. `keep` is as for a `Feed`."""

    def __init__(
        self, options: ClusterOptions, watches: Watches, outbox: Outbox, *, keep: Callable[[ObjectKey], bool]
    ) -> None:
        self._options = options
        self._watches = watches
        self._outbox = outbox
        self._keep = keep
        self._entered: dict[str, list[Feed]] = {}

    def start(self) -> None:
        """Begins with the namespaces, which say what else there is to watch."""
        options = self._options
        row = row_for("Namespace", options)
        if options.namespace_selector:
            feed = Feed(row, "", self._outbox, seen=self._seen)
            self._watches.start(feed, label_selector=options.namespace_selector)
            return
        for name in options.namespaces:
            self._watches.start(Feed(row, "", self._outbox, name=name))
        if not options.namespaces:
            self._watches.start(Feed(row, "", self._outbox))
        for namespace in options.namespaces or ("",):
            self._seen(namespace, True)

    def _seen(self, namespace: str, there: bool) -> None:
        if there:
            feeds = [Feed(row, namespace, self._outbox, keep=self._keep) for row in _KINDS]
            self._entered[namespace] = [self._watches.start(feed) for feed in feeds]
        else:
            for feed in self._entered.pop(namespace, ()):
                self._watches.end(feed)
