"""What is refused, with the path of the field; what is passed over; and what only draws a warning."""

from __future__ import annotations

from typing import Any

import pytest

from fastingress.objects import ConfigMap, decode
from tests.unit.objects.documents import (
    ORIGIN,
    accepted,
    backend,
    endpoint_slice,
    ingress,
    refusal,
    rule,
    secret,
    service,
    take,
)

PATH = "spec.rules[0].http.paths[0]"


@pytest.mark.parametrize(
    ("path", "path_type", "expected"),
    [
        ("shop", "Prefix", "must be an absolute path"),
        ("", "Exact", "must be an absolute path"),
        ("/a//b", "Prefix", "must not contain '//'"),
        ("/a/./b", "Exact", "must not contain '/./'"),
        ("/a/../b", "Prefix", "must not contain '/../'"),
        ("/a%2fb", "Prefix", "must not contain '%2f'"),
        ("/a%2Fb", "Exact", "must not contain '%2F'"),
        ("/a/..", "Exact", "cannot end with '/..'"),
        ("/a/.", "Prefix", "cannot end with '/.'"),
        ("a", "ImplementationSpecific", "must be an absolute path"),
    ],
)
def test_paths_that_are_refused(path: str, path_type: str, expected: str) -> None:
    message = refusal(ingress(rules=[rule(path=path, path_type=path_type)]))
    assert message.startswith(f'{PATH}.path: Invalid value: "{path}": ')
    assert expected in message


@pytest.mark.parametrize(
    ("path", "path_type"),
    [("/", "Prefix"), ("/a/", "Exact"), ("", "ImplementationSpecific"), ("/a//b.*", "ImplementationSpecific")],
)
def test_paths_that_are_accepted(path: str, path_type: str) -> None:
    assert accepted(ingress(rules=[rule(path=path, path_type=path_type)])).spec.rules[0].http.paths[0].path == path


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.0.0.1", "not an IP address"),
        ("::1", "not an IP address"),
        ("shop.example.com:80", "without a port"),
        ("Shop.example.com", "must be lower case"),
        ("*", "a wildcard must be the whole first label"),
        ("*.*.example.com", "a wildcard must be the whole first label"),
        ("a.*.example.com", "a wildcard must be the whole first label"),
        ("*a.example.com", "a wildcard must be the whole first label"),
        ("-a.example.com", "RFC 1123"),
        ("a..example.com", "RFC 1123"),
        ("a_b.example.com", "RFC 1123"),
        ("a" * 254, "no more than 253"),
    ],
)
def test_hosts_that_are_refused(host: str, expected: str) -> None:
    message = refusal(ingress(rules=[rule(host=host)]))
    assert message.startswith("spec.rules[0].host: Invalid value: ")
    assert expected in message


@pytest.mark.parametrize("host", ["", "a", "*.example.com", "a-b.c1.example.com", "host.1"])
def test_hosts_that_are_accepted(host: str) -> None:
    assert accepted(ingress(rules=[rule(host=host)])).spec.rules[0].host == host


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({}, f"{PATH}.backend: Invalid value: resource or service backend is required"),
        (
            {**backend(), "resource": {"kind": "Bucket", "name": "b"}},
            f"{PATH}.backend: Invalid value: cannot set both resource and service backends",
        ),
        ({"resource": {"kind": "Bucket"}}, f"{PATH}.backend.resource.name: Required value"),
        ({"service": {"port": {"number": 80}}}, f"{PATH}.backend.service.name: Required value"),
        (
            backend(number=80, name="http"),
            f"{PATH}.backend.service.port: Invalid value: cannot set both port name & port number",
        ),
        ({"service": {"name": "web"}}, f"{PATH}.backend.service.port: Required value: port name or number is required"),
        (
            backend(number=65536),
            f"{PATH}.backend.service.port.number: Invalid value: 65536: must be between 1 and 65535, inclusive",
        ),
        (
            backend(number="80"),
            f"{PATH}.backend.service.port.number: Invalid type: expected integer, got string",
        ),
        (
            backend(name="80"),
            f'{PATH}.backend.service.port.name: Invalid value: "80": must contain at least one letter',
        ),
    ],
)
def test_backends_that_are_refused(broken: dict[str, Any], expected: str) -> None:
    raw = ingress()
    raw["spec"]["rules"][0]["http"]["paths"][0]["backend"] = broken
    assert refusal(raw) == expected


def test_a_resource_backend_is_accepted() -> None:
    raw = ingress(defaultBackend={"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "b"}})
    assert accepted(raw).spec.default_backend.resource.api_group == "k8s.example.com"


def test_the_path_type_is_required_and_one_of_three() -> None:
    raw = ingress()
    del raw["spec"]["rules"][0]["http"]["paths"][0]["pathType"]
    assert refusal(raw) == f"{PATH}.pathType: Required value: pathType must be specified"
    assert refusal(ingress(rules=[rule(path_type="prefix")])) == (
        f'{PATH}.pathType: Unsupported value: "prefix": supported values: "Exact", "ImplementationSpecific", "Prefix"'
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"rules": []}, "spec: Invalid value: either `defaultBackend` or `rules` must be specified"),
        ({"rules": [{"host": "a.b", "http": {"paths": []}}]}, "spec.rules[0].http.paths: Required value"),
        ({"rules": {}}, "spec.rules: Invalid type: expected list, got map"),
        ({"rules": [rule()], "tls": [{"hosts": ["A.b"]}]}, "spec.tls[0].hosts[0]: "),
        ({"rules": [rule()], "tls": [{"secretName": "A"}]}, "spec.tls[0].secretName: "),
        ({"rules": [rule()], "ingressClassName": "a/b"}, "spec.ingressClassName: "),
    ],
)
def test_specs_that_are_refused(spec: dict[str, Any], expected: str) -> None:
    assert refusal(ingress(**spec)).startswith(expected)


def test_all_faults_of_an_object_are_one_problem() -> None:
    message = refusal(ingress(rules=[rule(host="A"), rule(path="x"), rule(host="1.1.1.1")]))
    assert [part.partition(":")[0] for part in message.split("; ") if part.startswith("spec")] == [
        "spec.rules[0].host",
        "spec.rules[1].http.paths[0].path",
        "spec.rules[2].host",
    ]
    many = refusal(ingress(rules=[rule(path="x") for _ in range(50)]))
    assert many.endswith("; and 40 more")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "metadata.name: Required value"),
        ({"name": "A"}, 'metadata.name: Invalid value: "A"'),
        ({"name": "a", "namespace": "a.b"}, 'metadata.namespace: Invalid value: "a.b"'),
        ({"name": "a", "labels": {"x": "-"}}, 'metadata.labels[x]: Invalid value: "-"'),
        ({"name": "a", "annotations": {"a b": ""}}, "metadata.annotations[a b]: "),
        (
            {"name": "a", "annotations": {"b": "", "a/x": True}},
            "metadata.annotations[a/x]: Invalid type: expected string, got boolean; put it in quotes",
        ),
        ({"name": "a", "annotations": {"a": "x" * (256 << 10)}}, "metadata.annotations: Too long"),
        ({"name": "a", "creationTimestamp": "now"}, 'metadata.creationTimestamp: Invalid value: "now"'),
        ({"name": 5}, "metadata.name: Invalid type: expected string, got integer; put it in quotes"),
        ("a", "metadata: Invalid type: expected map, got string"),
    ],
)
def test_metadata_that_is_refused(metadata: Any, expected: str) -> None:
    assert refusal({**ingress(), "metadata": metadata}).startswith(expected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{}]}, "spec.ports[0].port: Required value"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0"),
        ({"ports": [{"port": 80, "targetPort": "UPPER"}]}, 'spec.ports[0].targetPort: Invalid value: "UPPER"'),
        ({"ports": [{"port": 80, "protocol": "tcp"}]}, 'spec.ports[0].protocol: Unsupported value: "tcp"'),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}, "spec.ports[1]: Duplicate value: TCP 80"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]}, 'spec.ports[1].name: Duplicate value: "a"'),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"type": "Other", "ports": [{"port": 1}]}, 'spec.type: Unsupported value: "Other"'),
    ],
)
def test_services_that_are_refused(spec: dict[str, Any], expected: str) -> None:
    assert refusal(service(**spec)).startswith(expected)


def test_services_without_ports_that_are_accepted() -> None:
    assert accepted(service(clusterIP="None")).spec.ports == ()
    assert accepted(service(type="ExternalName", externalName="example.com.")).spec.external_name == "example.com."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"addressType": None}, "addressType: Required value"),
        ({"addressType": "ipv4"}, 'addressType: Unsupported value: "ipv4": supported values: "FQDN", "IPv4", "IPv6"'),
        ({"endpoints": [{"addresses": []}]}, "endpoints[0].addresses: Required value"),
        ({"endpoints": [{"addresses": ["::1"]}]}, 'endpoints[0].addresses[0]: Invalid value: "::1"'),
        ({"endpoints": [{"addresses": ["a"]}] * 1001}, "endpoints: Too many: 1001"),
        ({"ports": [{"port": 70000}]}, "ports[0].port: Invalid value: 70000"),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, 'ports[1].name: Duplicate value: "a"'),
    ],
)
def test_endpoint_slices_that_are_refused(fields: dict[str, Any], expected: str) -> None:
    assert refusal(endpoint_slice(**fields)).startswith(expected)


def test_endpoints_by_hand_may_be_anywhere() -> None:
    accepted(endpoint_slice(endpoints=[{"addresses": ["127.0.0.1"]}, {"addresses": ["169.254.1.1"]}]))


def test_endpoints_that_are_refused() -> None:
    raw = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}}
    assert refusal({**raw, "subsets": [{}]}).startswith("subsets[0]: Required value")
    address = [{"ip": "10.0.0"}]
    assert refusal({**raw, "subsets": [{"notReadyAddresses": address}]}).startswith(
        'subsets[0].notReadyAddresses[0].ip: Invalid value: "10.0.0": must be a valid IP address'
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data": {"a": "YQ==", "b": "not base64!"}}, "data[b]: Invalid value: not valid base64"),
        ({"data": {"a": "YQ==", "b": 5}}, "data[b]: Invalid type: expected string, got integer"),
        ({"stringData": {"a": 5}}, "stringData[a]: Invalid type: expected string, got integer; put it in quotes"),
        ({"stringData": {"a/b": ""}}, 'data[a/b]: Invalid value: "a/b"'),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, "data[tls.key]: Required value"),
        ({"stringData": {"a": "x" * ((1 << 20) + 1)}}, "data: Too long"),
    ],
)
def test_secrets_that_are_refused_without_a_word_of_their_content(fields: dict[str, Any], expected: str) -> None:
    message = refusal(secret(**fields))
    assert message.startswith(expected)
    assert "not base64!" not in message


def test_classes_that_are_refused() -> None:
    raw: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "f"}}
    assert refusal(raw) == "spec.controller: Required value"
    assert refusal({**raw, "spec": {"controller": "f"}}).startswith('spec.controller: Invalid value: "f"')
    parameters = {"kind": "ConfigMap", "name": "c", "scope": "Namespace"}
    assert "spec.parameters.namespace: Required value" in refusal(
        {**raw, "spec": {"controller": "a.b/c", "parameters": parameters}}
    )


def test_class_by_field_and_by_annotation_at_once_is_refused() -> None:
    raw = ingress(ingressClassName="f", rules=[rule()])
    raw["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "f"}
    assert "can not be set when the class field is also set" in refusal(raw)
    assert decode(raw, None).object is not None, "a cluster can have such objects from before"


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Ingress", "extensions/v1beta1"),
        ("Ingress", "networking.k8s.io/v1beta1"),
        ("Ingress", "v1"),
        ("Ingress", "networking/v1"),
        ("Service", "v2"),
        ("EndpointSlice", "discovery.k8s.io/v1beta1"),
    ],
)
def test_a_retired_or_misspelt_version_is_a_problem_that_helps(kind: str, version: str) -> None:
    decoded = take({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}})
    (problem,) = decoded.problems
    assert problem.code == "UnsupportedVersion"
    assert f'apiVersion: Unsupported value: "{version}": {kind} is read as ' in problem.message


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Pod", "v1"),
        ("Deployment", "apps/v1"),
        ("Service", "serving.knative.dev/v1"),
        ("Ingress", "config.openshift.io/v1"),
    ],
)
def test_other_kinds_are_passed_over_quietly(kind: str, version: str) -> None:
    assert take({"apiVersion": version, "kind": kind, "spec": 5}) == (None, [])


def test_what_is_not_an_object_is_a_problem() -> None:
    assert [problem.severity for problem in take({"replicas": 3}).problems] == ["warning"]
    assert [problem.message for problem in take({"apiVersion": "v1"}).problems] == ["kind: Required value"]
    assert [problem.message for problem in take({"kind": "Ingress"}).problems] == ["apiVersion: Required value"]


def test_unknown_fields_are_warnings_with_their_path() -> None:
    raw = ingress()
    raw["specs"] = {}
    raw["spec"]["ingressClass"] = "f"
    raw["spec"]["rules"][0]["http"]["paths"][0]["backend"]["serviceName"] = "web"
    decoded = take(raw)
    assert decoded.object is not None
    assert [(problem.code, problem.severity, problem.message) for problem in decoded.problems] == [
        ("UnknownField", "warning", "specs: unknown field, ignored"),
        ("UnknownField", "warning", "spec.ingressClass: unknown field, ignored"),
        ("UnknownField", "warning", f"{PATH}.backend.serviceName: unknown field, ignored"),
    ]
    assert {str(problem.object) for problem in decoded.problems} == {"Ingress default/shop"}


def test_known_fields_that_nobody_reads_draw_no_warning() -> None:
    raw = service(selector={"app": "web"}, sessionAffinity="None", ports=[{"port": 80, "nodePort": 30000}])
    raw["metadata"] |= {"ownerReferences": [], "finalizers": [], "resourceVersion": "5"}
    raw["status"] = {"anything": 1}
    accepted(raw)


def test_a_config_map_is_left_without_the_entries_that_it_would_be_refused_for() -> None:
    data = {"9000": "a", "nothing": None, 9001: "b", "9002": 5432, "9003": ["c"], "no key": "d", "secret": True}
    raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tcp", "namespace": "edge"}, "data": data}
    item, problems = decode(raw, ORIGIN)
    assert isinstance(item, ConfigMap)
    assert item.data == {"9000": "a", "nothing": ""}
    assert {(problem.code, str(problem.object)) for problem in problems} == {("InvalidField", "ConfigMap edge/tcp")}
    assert [problem.message.removesuffix("; this entry is left out") for problem in problems] == [
        "data[9001]: Invalid type: expected a string as key; put it in quotes",
        "data[9002]: Invalid type: expected string, got integer; put it in quotes",
        "data[9003]: Invalid type: expected string, got list",
        "data[no key]: Invalid value: \"no key\": a key must be up to 253 alphanumeric characters, '-', '_' or '.'",
        "data[secret]: Invalid type: expected string, got boolean; put it in quotes",
    ]


def test_not_every_bad_entry_of_a_config_map_is_listed() -> None:
    raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {f"k{n}": n for n in range(30)}}
    _, problems = decode(raw, ORIGIN)
    assert len(problems) == 11
    assert problems[-1].message == "data: 20 more entries are left out"
