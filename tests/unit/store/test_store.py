"""The store against a naive twin, and what it says of changes that do not matter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.objects import (
    ConfigMap,
    EndpointSlice,
    Ingress,
    IngressClass,
    Object,
    ObjectKey,
    ObjectMeta,
    Secret,
    Service,
    ServiceSpec,
)
from fastingress.problems import Origin
from fastingress.store import ALL, SLICES_OF, Change, Delete, Dependency, RecordingView, Store, Upsert
from fastingress.store.index import Index

NAMES = st.sampled_from(["a", "b", "c"])
SERVICE_NAMES = st.sampled_from(["", "web", "api"])


def slice_of(namespace: str, name: str, service: str, address_type: Any = "IPv4") -> EndpointSlice:
    labels = {"kubernetes.io/service-name": service} if service else {}
    return EndpointSlice(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), address_type=address_type)


def service(namespace: str, name: str, external: str = "") -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace=namespace), spec=ServiceSpec(external_name=external))


OBJECTS = st.one_of(
    st.builds(slice_of, NAMES, NAMES, SERVICE_NAMES, st.sampled_from(["IPv4", "IPv6"])),
    st.builds(service, NAMES, NAMES, st.sampled_from(["", "x.example.com"])),
)
KEYS = st.builds(ObjectKey, st.sampled_from(["EndpointSlice", "Service", "Ingress"]), NAMES, NAMES)
CHANGES = st.lists(st.one_of(st.builds(Upsert, OBJECTS), st.builds(Delete, KEYS)), max_size=12)


def dependencies_of(item: Object) -> set[Dependency]:
    found = {Dependency(*item.key), Dependency(item.kind, ALL, ALL)}
    if isinstance(item, EndpointSlice) and item.service_name:
        found.add(Dependency(SLICES_OF, item.metadata.namespace, item.service_name))
    return found


class Twin:
    """The store, naively: a dict, and everything looked up by going through all of it."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Object] = {}

    def apply(self, changes: list[Change]) -> set[Dependency]:
        hit: set[Dependency] = set()
        for change in changes:
            key = change.object.key if isinstance(change, Upsert) else change.key
            old = self.objects.pop(key, None)
            if isinstance(change, Upsert):
                self.objects[key] = change.object
            new = self.objects.get(key)
            if (old and old.significant()) != (new and new.significant()):
                for item in (old, new):
                    hit |= dependencies_of(item) if item else set()
        return hit

    def all_of(self, kind: str) -> list[Object]:
        return [self.objects[key] for key in sorted(self.objects) if key.kind == kind]

    def slices_of(self, namespace: str, name: str) -> list[Object]:
        return [
            item
            for item in self.all_of("EndpointSlice")
            if isinstance(item, EndpointSlice)
            and (item.metadata.namespace, item.service_name) == (namespace, name)
            and name
        ]


@settings(max_examples=300, deadline=None)
@given(st.lists(CHANGES, max_size=6))
def test_the_store_answers_like_a_naive_twin(batches: list[list[Change]]) -> None:
    store, twin = Store(), Twin()
    view = store.view()
    for changes in batches:
        assert store.apply(changes) == twin.apply(changes)
        store.check_invariants()
        for kind in ("EndpointSlice", "Service", "Ingress"):
            assert view.list(kind) == twin.all_of(kind)
        for namespace in "abc":
            for name in ("web", "api"):
                assert view.slices_of(namespace, name) == twin.slices_of(namespace, name)
            for name in "abc":
                assert view.get("Service", namespace, name) is twin.objects.get(ObjectKey("Service", namespace, name))


@settings(max_examples=100, deadline=None)
@given(st.lists(OBJECTS, unique_by=lambda item: item.key, max_size=8), st.randoms(use_true_random=False))
def test_answers_do_not_depend_on_the_order_of_events(objects: list[Object], random: Any) -> None:
    first, second = Store(), Store()
    first.apply([Upsert(item) for item in objects])
    random.shuffle(objects)
    for item in objects:
        second.apply([Upsert(item)])
    for kind in ("EndpointSlice", "Service"):
        assert first.view().list(kind) == second.view().list(kind)


def test_the_index_notices_when_its_parts_disagree() -> None:
    index = Index()
    index.put(slice_of("a", "s", "web"))
    index.check_invariants()
    index._slices.clear()
    with pytest.raises(AssertionError, match="slices by service"):
        index.check_invariants()


def test_an_echo_does_not_matter() -> None:
    store = Store()
    assert store.apply([Upsert(service("a", "web"))])
    assert store.apply([Upsert(service("a", "web"))]) == set()
    assert store.apply([Delete(ObjectKey("Service", "a", "other"))]) == set()


def test_a_document_that_moved_to_another_line_does_not_matter_but_its_origin_is_kept() -> None:
    store = Store()
    ingress = Ingress(metadata=ObjectMeta(name="shop", namespace="a"), origin=Origin("f", 1, 0), place="000/f#000000")
    store.apply([Upsert(ingress)])
    moved = ingress.placed(Origin("f", 9, 0), ingress.place)
    assert store.apply([Upsert(moved)]) == set()
    found = store.view().get("Ingress", "a", "shop")
    assert found is not None
    assert found.origin == Origin("f", 9, 0)


@pytest.mark.parametrize(
    ("item", "matters"),
    [
        (Ingress(metadata=ObjectMeta(name="o", namespace="a")), True),
        (IngressClass(metadata=ObjectMeta(name="o")), True),
        (service("a", "o"), False),
        (Secret(metadata=ObjectMeta(name="o", namespace="a")), False),
        (ConfigMap(metadata=ObjectMeta(name="o", namespace="a")), False),
        (slice_of("a", "o", "web"), False),
    ],
)
def test_age_matters_only_where_the_oldest_wins(item: Object, matters: bool) -> None:
    store = Store()
    store.apply([Upsert(item.placed(Origin("f", 1, 0), "000/f#000000"))])
    hit = store.apply([Upsert(item.placed(Origin("f", 1, 1), "000/f#000001"))])
    assert hit == (dependencies_of(item) if matters else set())


def test_annotations_of_slices_do_not_matter() -> None:
    store = Store()
    item = slice_of("a", "s", "web")
    store.apply([Upsert(item)])
    meta = ObjectMeta(
        name="s",
        namespace="a",
        labels={"kubernetes.io/service-name": "web", "other": "label"},
        annotations={"endpoints.kubernetes.io/last-change-trigger-time": "now"},
    )
    assert store.apply([Upsert(EndpointSlice(metadata=meta, address_type="IPv4"))]) == set()


def test_a_slice_that_changes_its_service_hits_both() -> None:
    store = Store()
    store.apply([Upsert(slice_of("a", "s", "web"))])
    hit = store.apply([Upsert(slice_of("a", "s", "api"))])
    assert {Dependency(SLICES_OF, "a", "web"), Dependency(SLICES_OF, "a", "api")} <= hit
    assert store.view().slices_of("a", "web") == []


def test_a_recording_view_remembers_what_it_found_and_what_it_missed() -> None:
    store = Store()
    store.apply([Upsert(service("a", "web")), Upsert(slice_of("a", "s", "web"))])
    view = RecordingView(store.view())
    assert view.dependencies == frozenset()
    assert view.get("Service", "a", "web") is not None
    assert view.get("Secret", "a", "missing") is None
    assert len(view.slices_of("a", "web")) == 1
    assert view.list("IngressClass") == []
    assert view.dependencies == {
        Dependency("Service", "a", "web"),
        Dependency("Secret", "a", "missing"),
        Dependency(SLICES_OF, "a", "web"),
        Dependency("IngressClass", ALL, ALL),
    }


def test_a_view_is_live_and_its_lists_are_the_callers_own() -> None:
    store = Store()
    view = store.view()
    store.apply([Upsert(service("a", "web"))])
    listed = view.list("Service")
    listed.clear()
    assert len(view.list("Service")) == 1
