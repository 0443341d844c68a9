"""The objects by key, and the EndpointSlices by Service. Knows nothing of changes or dependencies."""

from __future__ import annotations

from fastingress.objects import EndpointSlice, Object, ObjectKey


class Index:
    """Finds an object in constant time and lists a kind in order, sorting only after the kind's set has changed."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[tuple[str, str], Object]] = {}
        self._sorted: dict[str, list[Object]] = {}
        self._slices: dict[tuple[str, str], tuple[EndpointSlice, ...]] = {}
        """By Service, in the order of their names."""

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object of that key."""
        objects = self._kinds.get(kind)
        return None if objects is None else objects.get((namespace, name))

    def all_of(self, kind: str) -> list[Object]:
        """A fresh list, by namespace and name."""
        ordered = self._sorted.get(kind)
        if ordered is None:
            objects = self._kinds.get(kind, {})
            ordered = self._sorted[kind] = [objects[key] for key in sorted(objects)]
        return ordered.copy()

    def slices_of(self, namespace: str, service: str) -> list[EndpointSlice]:
        """A fresh list, by name."""
        return list(self._slices.get((namespace, service), ()))

    def put(self, new: Object) -> Object | None:
        """Takes an object in, and answers the one it replaces."""
        meta = new.metadata
        objects = self._kinds.setdefault(new.kind, {})
        old = objects.get((meta.namespace, meta.name))
        objects[meta.namespace, meta.name] = new
        self._sorted.pop(new.kind, None)
        if isinstance(old, EndpointSlice):
            self._drop_slice(old)
        if isinstance(new, EndpointSlice) and new.service_name:
            service = (meta.namespace, new.service_name)
            self._slices[service] = tuple(sorted((*self._slices.get(service, ()), new), key=_name))
        return old

    def remove(self, key: ObjectKey) -> Object | None:
        """Takes an object out, and answers it."""
        old = self._kinds.get(key.kind, {}).pop((key.namespace, key.name), None)
        if old is None:
            return None
        self._sorted.pop(key.kind, None)
        if isinstance(old, EndpointSlice):
            self._drop_slice(old)
        return old

    def _drop_slice(self, old: EndpointSlice) -> None:
        service = (old.metadata.namespace, old.service_name)
        left = tuple(item for item in self._slices.pop(service, ()) if item.metadata.name != old.metadata.name)
        if left:
            self._slices[service] = left

    def check_invariants(self) -> None:
        """Raises AssertionError if the parts of the index disagree. For tests."""
        slices = self._kinds.get("EndpointSlice", {})
        filed = {
            (namespace, item.metadata.name): (service, item)
            for (namespace, service), members in self._slices.items()
            for item in members
        }
        expected = {
            key: (item.service_name, item)
            for key, item in slices.items()
            if isinstance(item, EndpointSlice) and item.service_name
        }
        assert filed == expected, "the slices by service are not the slices"
        assert all(self._slices.values()), "a service without slices is kept"
        for kind, ordered in self._sorted.items():
            objects = self._kinds.get(kind, {})
            assert ordered == [objects[key] for key in sorted(objects)], f"the order of {kind} is stale"


def _name(item: EndpointSlice) -> str:
    return item.metadata.name
