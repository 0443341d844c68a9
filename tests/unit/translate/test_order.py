"""Any order of object events, with missing references and recreated objects, ends where a fresh start ends."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.objects import Object, decode
from fastingress.store import Change, Delete, Upsert
from fastingress.translate import Options
from tests.unit.translate.support import World

NAMES = st.sampled_from(["a", "b", "c"])
NAMESPACES = st.sampled_from(["default", "other"])
HOSTS = st.sampled_from(["", "a.example.com", "www.a.example.com", "*.example.com"])
CLASSES = st.sampled_from([None, "fastingress", "edge", "nginx"])
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "fastingress.io/proxy-read-timeout": st.sampled_from(["1", "2", "x"]),
        "nginx.ingress.kubernetes.io/server-alias": st.sampled_from(["b.example.com", "a.example.com", "~bad"]),
        "nginx.ingress.kubernetes.io/from-to-www-redirect": st.just("true"),
        "fastingress.io/allowlist-source-range": st.sampled_from(["10.0.0.0/8", "bad"]),
        "kubernetes.io/ingress.class": st.sampled_from(["fastingress", "edge", "nginx"]),
    },
)


def _meta(name: str, namespace: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, **more}


@st.composite
def ingresses(draw: st.DrawFn) -> dict[str, Any]:
    backend = {"service": {"name": draw(NAMES), "port": draw(st.sampled_from([{"number": 80}, {"name": "http"}]))}}
    spec: dict[str, Any] = {"defaultBackend": backend}
    if draw(st.booleans()):
        path = {"path": draw(st.sampled_from(["/", "/x"])), "pathType": "Prefix", "backend": backend}
        spec["rules"] = [{"host": draw(HOSTS), "http": {"paths": [path]}}]
    if draw(st.booleans()):
        spec["tls"] = [
            {"hosts": [draw(st.sampled_from(["a.example.com", "t.example.com"]))], "secretName": draw(NAMES)}
        ]
    name_of_class = draw(CLASSES)
    if name_of_class:
        spec["ingressClassName"] = name_of_class
    meta = _meta(draw(NAMES), draw(NAMESPACES), annotations=draw(ANNOTATIONS), uid=draw(st.sampled_from("123456")))
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    ports = draw(st.sampled_from([[{"name": "http", "port": 80}], [{"name": "http", "port": 81, "targetPort": "web"}]]))
    meta = _meta(draw(NAMES), draw(NAMESPACES))
    if draw(st.booleans()):
        meta["annotations"] = {"fastingress.io/endpoints": draw(st.sampled_from(["127.0.0.1:1", "bad"]))}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}}


@st.composite
def slices(draw: st.DrawFn) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": draw(NAMES)}
    conditions = {"ready": draw(st.booleans()), "serving": True, "terminating": True}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _meta(draw(NAMES), draw(NAMESPACES), labels=labels),
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": draw(st.sampled_from([8080, 9090]))}],
        "endpoints": [{"addresses": [draw(st.sampled_from(["10.0.0.1", "10.0.0.2"]))], "conditions": conditions}],
    }


@st.composite
def secrets(draw: st.DrawFn) -> dict[str, Any]:
    data = draw(st.sampled_from([{"tls.crt": "c", "tls.key": "k"}, {"tls.crt": "c"}, {"tls.crt": "d", "tls.key": "k"}]))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _meta(draw(NAMES), draw(NAMESPACES)),
        "type": "Opaque",
        "stringData": data,
    }


@st.composite
def classes(draw: st.DrawFn) -> dict[str, Any]:
    marked = {"ingressclass.kubernetes.io/is-default-class": draw(st.sampled_from(["true", "false"]))}
    meta = {"name": draw(st.sampled_from(["edge", "nginx", "fastingress"])), "annotations": marked}
    if draw(st.booleans()):
        meta["creationTimestamp"] = draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]))
    controller = draw(st.sampled_from(["fastingress.io/ingress-controller", "k8s.io/ingress-nginx"]))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": meta,
        "spec": {"controller": controller},
    }


OBJECTS = st.one_of(ingresses(), services(), slices(), secrets(), classes())
# Each batch is a list of objects; True deletes what has the object's key in place of putting it there.
BATCHES = st.lists(
    st.lists(st.tuples(OBJECTS, st.sampled_from([False, False, False, True])), max_size=4), min_size=1, max_size=10
)


def _typed(raw: dict[str, Any], index: int) -> Object:
    decoded = decode(raw, None, place=f"{index:06}")
    assert decoded.object is not None, decoded.problems
    return decoded.object


@settings(max_examples=150, deadline=None)
@given(
    batches=BATCHES, assign=st.booleans(), without=st.booleans(), flags=st.sampled_from(["", "default/a", "other/b"])
)
def test_any_history_ends_as_a_fresh_start(batches: Any, assign: bool, without: bool, flags: str) -> None:
    options = Options(
        allow_local_endpoints=True,
        assign_default_class=assign,
        watch_without_class=without,
        default_ssl_certificate=flags,
        default_backend_service=flags,
    )
    world = World(options)
    told: dict[Any, bytes] = {}
    problems: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        changes: list[Change] = []
        for index, (raw, gone) in enumerate(batch):
            item = _typed(raw, number * 10 + index)
            changes.append(Delete(item.key) if gone else Upsert(item))
        delta = world.apply(changes)
        told.update(delta.upserts)
        for key in delta.removals:
            del told[key]
        problems.update(delta.problems)
    fresh = world.fresh()
    assert told == world.translator.state() or not batches
    assert world.translator.state() == fresh.translator.state() or not batches
    assert world.digest() == fresh.digest() or not batches
    assert {unit: found for unit, found in problems.items() if found} == (
        fresh.translator.problems() if batches else {}
    )
