"""Each port that is served is there at every object it takes: process, container, Service and NetworkPolicy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fastingress import RouteTable
from tests.support import helm
from tests.support.manifests import Manifest

pytestmark = pytest.mark.usefixtures("helm")

STREAMS: dict[str, Any] = {"tcp": {9000: "shop/db:5432", 9001: "shop/feed:http:PROXY"}, "udp": {9000: "shop/dns:53"}}
Ports = set[tuple[str, int]]


def one(objects: list[Manifest], kind: str) -> Manifest:
    (found,) = helm.of_kind(objects, kind)
    return found


def of_container(objects: list[Manifest]) -> dict[tuple[str, str], int]:
    """Its ports by protocol and name."""
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {(each["protocol"], each["name"]): each["containerPort"] for each in container["ports"]}


def reached_by_service(objects: list[Manifest]) -> dict[tuple[str, int], int]:
    """Ports of the container by protocol and port of the Service."""
    ports = of_container(objects)
    wanted = one(objects, "Service")["spec"]["ports"]
    return {(each["protocol"], each["port"]): ports[each["protocol"], each["targetPort"]] for each in wanted}


def admitted(objects: list[Manifest]) -> Ports:
    """Ports of the container that everybody may reach."""
    rules = one(objects, "NetworkPolicy")["spec"]["ingress"]
    ports = of_container(objects)
    open_to_all = [each for rule in rules if "from" not in rule for each in rule["ports"]]
    return {(each["protocol"], ports[each["protocol"], each["port"]]) for each in open_to_all}


def sysctls(values: dict[str, Any]) -> list[Manifest]:
    pod = one(helm.rendered(values), "Deployment")["spec"]["template"]["spec"]
    found: list[Manifest] = pod["securityContext"].get("sysctls", [])
    return found


# TCP and UDP services


def test_without_them_there_is_neither_a_port_nor_a_config_map() -> None:
    objects = helm.rendered()
    assert reached_by_service(objects) == {("TCP", 80): 8080, ("TCP", 443): 8443}
    assert helm.of_kind(objects, "ConfigMap") == []
    assert not [argument for argument in helm.arguments_of(objects) if "services-configmap" in argument]


def test_each_of_their_ports_is_open_all_the_way() -> None:
    objects = helm.rendered(STREAMS)
    wanted = {("TCP", 9000): 9000, ("TCP", 9001): 9001, ("UDP", 9000): 9000}
    assert reached_by_service(objects) == {("TCP", 80): 8080, ("TCP", 443): 8443, **wanted}
    assert admitted(objects) == {("TCP", 8080), ("TCP", 8443), *wanted}


def test_their_config_maps_are_those_that_the_process_is_told_of() -> None:
    objects = helm.rendered(STREAMS, release="edge", namespace="edge-system")
    made = {helm.name_of(each)[1:]: each["data"] for each in helm.of_kind(objects, "ConfigMap")}
    assert made == {
        ("edge-system", "edge-fastingress-tcp"): {"9000": "shop/db:5432", "9001": "shop/feed:http:PROXY"},
        ("edge-system", "edge-fastingress-udp"): {"9000": "shop/dns:53"},
    }
    for layer in ("tcp", "udp"):
        flag = f"--{layer}-services-configmap=edge-system/edge-fastingress-{layer}"
        assert flag in helm.arguments_of(objects)


def test_only_one_layer_makes_only_one_config_map() -> None:
    objects = helm.rendered({"udp": STREAMS["udp"]})
    assert [each["metadata"]["name"] for each in helm.of_kind(objects, "ConfigMap")] == ["fastingress-udp"]
    assert [argument for argument in helm.arguments_of(objects) if argument.startswith("--tcp-")] == []


def test_they_may_have_fixed_ports_at_the_nodes() -> None:
    service = {"type": "NodePort", "tcpNodePorts": {9000: 30900}, "udpNodePorts": {9000: 30901}}
    ports = one(helm.rendered({**STREAMS, "service": service}), "Service")["spec"]["ports"]
    fixed = {(each["protocol"], each["port"]): each["nodePort"] for each in ports if "nodePort" in each}
    assert fixed == {("TCP", 9000): 30900, ("UDP", 9000): 30901}


@pytest.mark.parametrize("layer", ["tcp", "udp"])
def test_a_port_below_1024_is_made_one_that_nobody_needs_a_privilege_for(layer: str) -> None:
    assert sysctls({layer: {1024: "shop/db:1"}}) == []
    allowed = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert sysctls({layer: {1023: "shop/db:1"}}) == allowed
    assert sysctls({layer: {1023: "shop/db:1", 9000: "shop/db:1"}}) == allowed


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tcp": {80: "a/b:1"}}, "tcp: port 80 is service.httpPort"),
        ({"tcp": {8000: "a/b:1"}, "service": {"httpsPort": 8000}}, "tcp: port 8000 is service.httpsPort"),
        ({"tcp": {8080: "a/b:1"}}, "tcp: port 8080 is the container's for HTTP"),
        ({"tcp": {8443: "a/b:1"}}, "tcp: port 8443 is the container's for TLS"),
        ({"tcp": {10254: "a/b:1"}}, "tcp: port 10254 is the admin port"),
        ({"udp": {443: "a/b:1"}, "http3": {"enabled": True}}, "udp: port 443 is that of HTTP/3"),
        ({"udp": {8443: "a/b:1"}, "http3": {"enabled": True}}, "udp: port 8443 is the container's for HTTP/3"),
    ],
)
def test_a_port_that_is_taken_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    done = helm.template(values)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_port_of_tcp_is_free_for_udp() -> None:
    objects = helm.rendered({"udp": {80: "a/b:1", 443: "a/b:1", 8080: "a/b:1", 8443: "a/b:1", 10254: "a/b:1"}})
    assert {port for layer, port in reached_by_service(objects) if layer == "UDP"} == {80, 443, 8080, 8443, 10254}


@pytest.mark.parametrize("layer", ["tcp", "udp"])
@pytest.mark.parametrize(
    "entry",
    [
        "shop/db:5432",
        "shop/db:postgres",
        "shop/db:5432:PROXY",
        "shop/db:5432:PROXY:PROXY",
        "shop/db:5432::PROXYV2",
        "shop/db:5432:PROXYV2",
        "shop/db:5432::PROXYV3",
        "shop/db:5432:PROXY:PROXY:PROXY",
        "shop/db",
        "db:5432",
        "shop/db/x:5432",
        "Shop/db:5432",
        "shop/db:",
        "shop/db:_x",
    ],
)
def test_the_schema_takes_the_entries_that_the_process_takes(layer: str, entry: str, tmp_path: Path) -> None:
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "streams", "namespace": "edge"},
        "data": {"9000": entry},
    }
    (tmp_path / "streams.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    options: dict[str, Any] = {f"{layer}_services_configmap": "edge/streams"}
    table = RouteTable.from_manifests(tmp_path, **options)
    is_taken = "InvalidStream" not in {problem.code for problem in table.problems}
    assert (helm.template({layer: {9000: entry}}).returncode == 0) == is_taken


@pytest.mark.parametrize("port", ["0", "100000", "http", "90-91"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    done = helm.template({"tcp": {port: "shop/db:5432"}})
    assert done.returncode != 0
    assert f"invalid propertyName '{port}'" in done.stderr


# HTTP/3


def test_http3_is_udp_at_the_port_of_tls_all_the_way() -> None:
    objects = helm.rendered({"http3": {"enabled": True}})
    assert reached_by_service(objects) == {("TCP", 80): 8080, ("TCP", 443): 8443, ("UDP", 443): 8443}
    assert admitted(objects) == {("TCP", 8080), ("TCP", 8443), ("UDP", 8443)}
    assert {"--http3=true", "--http3-advertise-port=443"} <= set(helm.arguments_of(objects))


def test_http3_is_announced_where_clients_find_it() -> None:
    moved = helm.rendered({"http3": {"enabled": True}, "service": {"httpsPort": 8444}})
    assert reached_by_service(moved)["UDP", 8444] == 8443
    assert "--http3-advertise-port=8444" in helm.arguments_of(moved)
    before = helm.rendered({"http3": {"enabled": True, "advertisePort": 4433}})
    assert "--http3-advertise-port=4433" in helm.arguments_of(before)


def test_without_http3_no_udp_port_is_open() -> None:
    objects = helm.rendered()
    assert {layer for layer, _ in reached_by_service(objects)} == {"TCP"}
    assert not [argument for argument in helm.arguments_of(objects) if "http3" in argument]
