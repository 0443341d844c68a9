"""The store: takes changes in and answers what of them matters.

It compares what is significant of an object, so an echo of a status write, or a document that moved to another line,
answers nothing. It does not know who depends on what: that is the translator's.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastingress.objects import EndpointSlice, Object
from fastingress.store.changes import ALL, SLICES_OF, Change, Dependency, Upsert
from fastingress.store.index import Index
from fastingress.store.view import View


class Store:
    """All objects of all sources."""

    def __init__(self) -> None:
        self._index = Index()

    def view(self) -> View:
        """A live view: it shows the store as it is at each call."""
        return View(self._index)

    def apply(self, changes: Iterable[Change]) -> set[Dependency]:
        """Takes the changes in, in their order, and answers every dependency that they hit.

        An object hits its own key and the set of its kind; an EndpointSlice also the slices of the Service it names,
        and of the one it named before.
        """
        hit: set[Dependency] = set()
        for change in changes:
            if isinstance(change, Upsert):
                new: Object | None = change.object
                old = self._index.put(change.object)
            else:
                new = None
                old = self._index.remove(change.key)
            if _differ(old, new):
                for item in (old, new):
                    if item is not None:
                        hit |= _hit_by(item)
        return hit

    def check_invariants(self) -> None:
        """Raises AssertionError if the parts of the index disagree. For tests."""
        self._index.check_invariants()


def _differ(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return old is not new
    return old.significant() != new.significant()


def _hit_by(item: Object) -> set[Dependency]:
    meta = item.metadata
    hit = {Dependency(item.kind, meta.namespace, meta.name), Dependency(item.kind, ALL, ALL)}
    if isinstance(item, EndpointSlice) and item.service_name:
        hit.add(Dependency(SLICES_OF, meta.namespace, item.service_name))
    return hit
