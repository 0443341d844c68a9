"""What decoding fills in, as an API server would."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from fastingress.objects import KINDS, ConfigMap, Endpoints, Ingress, ObjectKey, Secret, decode, decode_json, items_of
from tests.unit.objects.documents import ORIGIN, accepted, endpoint_slice, ingress, secret, service


def test_an_ingress_keeps_what_is_read_and_gets_namespace_uid_and_age() -> None:
    item = accepted(ingress())
    assert item.key == ObjectKey("Ingress", "default", "shop")
    assert item.metadata.uid == "manifest/Ingress/default/shop"
    assert item.origin == ORIGIN
    assert item.age.startswith("1")
    path = item.spec.rules[0].http.paths[0]
    assert (path.path, path.path_type, path.backend.service.name, path.backend.service.port.number) == (
        "/",
        "Prefix",
        "web",
        80,
    )


def test_documents_age_by_their_place_and_after_all_that_have_a_creation_time() -> None:
    def at(place: str, **meta: str) -> str:
        raw = {**ingress(), "metadata": {"name": "shop", **meta}}
        item = decode(raw, ORIGIN, place=place).object
        assert item is not None
        return item.age

    created = at("z", creationTimestamp="2026-01-02T00:00:00Z")
    older = at("z", creationTimestamp="2026-01-01T23:30:00.5-01:00")
    assert [created, older] == ["02026-01-02T00:00:00Z/default/shop", "02026-01-02T00:30:00Z/default/shop"]
    assert created < older < at("000/a.yaml#000001") < at("000/a.yaml#000010") < at("000/b.yaml#000000")


@pytest.mark.parametrize("given", [{}, {"targetPort": None}, {"targetPort": 0}, {"targetPort": ""}])
def test_a_target_port_is_the_port_unless_given(given: dict[str, Any]) -> None:
    item = accepted(service(ports=[{"port": 80, **given}]))
    assert item.spec.ports[0].target_port == 80
    assert item.spec.ports[0].protocol == "TCP"


def test_a_target_port_may_be_a_name() -> None:
    assert accepted(service(ports=[{"port": 80, "targetPort": "http"}])).spec.ports[0].target_port == "http"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, (True, True, False)),
        (None, (True, True, False)),
        ({"ready": None}, (True, True, False)),
        ({"ready": False}, (False, False, False)),
        ({"ready": False, "serving": True, "terminating": True}, (False, True, True)),
    ],
)
def test_unknown_conditions_mean_ready(conditions: Any, expected: tuple[bool, bool, bool]) -> None:
    item = accepted(endpoint_slice(endpoints=[{"addresses": ["10.0.0.1"], "conditions": conditions}]))
    found = item.endpoints[0].conditions
    assert (found.ready, found.serving, found.terminating) == expected


def test_lists_may_be_null() -> None:
    item = accepted(endpoint_slice(endpoints=None, ports=None))
    assert (item.endpoints, item.ports, item.service_name) == ((), (), "web")
    raw = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}, "subsets": None}
    endpoints = accepted(raw)
    assert isinstance(endpoints, Endpoints)
    assert endpoints.subsets == ()


def test_null_is_not_given_and_empty_in_maps_of_text() -> None:
    raw = ingress()
    raw["metadata"] |= {"creationTimestamp": None, "labels": None, "annotations": {"example.com/a": None}}
    raw["status"] = None
    item = accepted(raw)
    assert item.metadata.creation_timestamp is None
    assert (item.metadata.labels, item.metadata.annotations) == ({}, {"example.com/a": ""})


def test_a_secret_is_decoded_and_merged_and_never_shown() -> None:
    wrapped = base64.encodebytes(b"k" * 200).decode()
    item = accepted(secret(data={"a": wrapped, "b": "YjE="}, stringData={"b": "b2", "c": "hidden-content"}))
    assert isinstance(item, Secret)
    assert item.data == {"a": b"k" * 200, "b": b"b2", "c": b"hidden-content"}
    assert item.string_data == {}
    assert "hidden" not in repr(item)
    assert "kkk" not in str(item)


def test_a_config_map_is_text() -> None:
    raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ops"}, "data": {"a": "1"}}
    item = accepted(raw)
    assert isinstance(item, ConfigMap)
    assert (item.data, item.key) == ({"a": "1"}, ObjectKey("ConfigMap", "ops", "c"))


def test_an_ingress_class_has_no_namespace() -> None:
    raw: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "f", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "fastingress.io/controller"},
    }
    item = accepted(raw)
    assert item.key == ObjectKey("IngressClass", "", "f")
    assert item.is_default


def test_what_kubectl_keeps_for_itself_is_dropped() -> None:
    raw = ingress()
    raw["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a/b": "c"}
    assert accepted(raw).metadata.annotations == {"a/b": "c"}


def test_the_same_types_are_read_from_json() -> None:
    raw = ingress()
    raw["metadata"] |= {
        "uid": "u-1",
        "namespace": "n",
        "creationTimestamp": "2026-01-02T00:00:00Z",
        "managedFields": [],
    }
    raw["status"] = {"loadBalancer": {}}
    raw["future"] = 1
    decoded = decode_json(msgspec.json.encode(raw))
    assert decoded.problems == []
    assert isinstance(decoded.object, Ingress)
    assert decoded.object.metadata.uid == "u-1"
    assert decoded.object.origin is None
    assert decoded.object.age == "02026-01-02T00:00:00Z/n/shop"


def test_items_of_a_list_need_not_state_their_kind() -> None:
    item = msgspec.Raw(b'{"metadata": {"name": "web-1", "namespace": "n"}, "addressType": "IPv4", "endpoints": null}')
    decoded = decode_json(item, "EndpointSlice")
    assert decoded.problems == []
    assert decoded.object is not None
    assert decoded.object.key == ObjectKey("EndpointSlice", "n", "web-1")
    bare = b'{"metadata": {"name": "web", "namespace": "n", "labels": {}}, "spec": {"ports": [{"port": 80}]}}'
    service_object = decode_json(bare, "Service").object
    assert service_object is not None
    assert service_object.metadata.uid == "manifest/Service/n/web"
    (problem,) = decode_json(b'{"metadata": {"name": "web"}, "spec": {"ports": 5}}', "Service").problems
    assert problem.message == "spec.ports: Invalid type: expected list, got integer"
    assert str(problem.object) == "Service default/web"


def test_json_that_is_not_an_object_is_a_problem() -> None:
    for data in (b"{", b"[]", b"1"):
        decoded = decode_json(data)
        assert decoded.object is None
        assert [problem.code for problem in decoded.problems] == ["InvalidObject"]


def test_items_of_a_typed_list_may_leave_out_their_kind() -> None:
    raw = ingress()
    bare = {"metadata": raw["metadata"], "spec": raw["spec"]}
    items = items_of({"apiVersion": "networking.k8s.io/v1", "kind": "IngressList", "items": [bare, raw]})
    assert items == [raw, raw]
    assert items_of({"apiVersion": "v1", "kind": "List", "items": None}) == []
    assert items_of({"apiVersion": "v1", "kind": "PodList", "items": [bare]}) is None
    assert items_of(raw) is None


@pytest.mark.parametrize("kind", ["Namespace", "Node", "Pod"])
def test_kinds_of_a_cluster_are_skipped_in_manifests(kind: str) -> None:
    raw = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "shop"}, "spec": {"containers": [{"name": "web"}]}}
    assert decode(raw, ORIGIN) == (None, [])
    assert isinstance(decode_json(msgspec.json.encode(raw), kind).object, KINDS[kind])


def test_of_all_the_owners_of_fields_an_ingress_keeps_those_of_its_status() -> None:
    raw = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress()}
    raw["metadata"] = {
        "name": "shop",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [
            {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
            {"manager": "nginx", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "ours", "operation": "Apply", "subresource": "status"},
        ],
    }
    raw["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]}}
    item = decode_json(msgspec.json.encode(raw), "Ingress").object
    assert isinstance(item, Ingress)
    assert item.status_managers == ("nginx", "ours")
    assert item.metadata.managed_fields == ()
    assert item.is_leaving
    assert [(each.ip, each.hostname) for each in item.status.load_balancer.ingress] == [
        ("192.0.2.1", ""),
        ("", "lb.example.com"),
    ]


def test_what_is_written_into_a_status_is_not_significant() -> None:
    raw = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress()}
    before = decode_json(msgspec.json.encode(raw)).object
    raw["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    raw["metadata"] = {**raw["metadata"], "managedFields": [{"manager": "ours", "subresource": "status"}]}
    after = decode_json(msgspec.json.encode(raw)).object
    assert before is not None
    assert after is not None
    assert before != after
    assert before.significant() == after.significant()
