"""Where the gateway is reached: from flags, a Service or Nodes; and that known addresses never become none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from fastingress.objects import LoadBalancerIngress, decode
from fastingress.problems import Problem
from fastingress.status import Addresses, parse_address
from fastingress.store import Delete, Store, Upsert


def ip(address: str) -> LoadBalancerIngress:
    return LoadBalancerIngress(ip=address)


def host(name: str) -> LoadBalancerIngress:
    return LoadBalancerIngress(hostname=name)


class Bench:
    def __init__(self, **options: Any) -> None:
        self.store = Store()
        self.scopes: dict[str, list[Problem]] = {}
        self.addresses = Addresses(self.store.view(), problems=self._state, **options)

    def _state(self, scopes: Mapping[str, Iterable[Problem]]) -> None:
        self.scopes |= {scope: list(problems) for scope, problems in scopes.items()}

    def put(self, raw: dict[str, Any]) -> None:
        found = decode(raw, None)
        assert found.object is not None, found.problems
        self.store.apply([Upsert(found.object)])

    def codes(self) -> list[str]:
        return [problem.code for problems in self.scopes.values() for problem in problems]


def service(spec: dict[str, Any], *given: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "ingress", "name": "front", "uid": "uid-of-front"},
        "spec": {"ports": [{"port": 80}], **spec},
        "status": {"loadBalancer": {"ingress": list(given)}},
    }


def node(name: str, **addresses: str) -> dict[str, Any]:
    entries = [{"type": kind, "address": address} for kind, address in addresses.items()]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"addresses": entries}}


def pod(name: str, on: str, phase: str = "Running", **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "ingress", "name": name, **metadata},
        "spec": {"nodeName": on},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ip("192.0.2.1")),
        ("2001:DB8::1", ip("2001:db8::1")),
        ("lb.example.com", host("lb.example.com")),
        ("LB.Example.com.", host("lb.example.com")),
        ("localhost", host("localhost")),
    ],
)
def test_an_address_is_an_ip_or_a_host_name(text: str, address: LoadBalancerIngress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "192.0.2.256", "a_b.example.com", "-a", "x" * 64, "a..b", "fe80::1%eth0 ", "a b"])
def test_what_the_api_would_refuse_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a host name"):
        parse_address(text)


def test_fixed_addresses_are_sorted_and_told_once() -> None:
    it = Bench(fixed=[ip("192.0.2.2"), host("b.example.com"), ip("192.0.2.1"), ip("192.0.2.2")], service=("a", "b"))
    assert it.addresses.now == (host("b.example.com"), ip("192.0.2.1"), ip("192.0.2.2"))
    assert not it.addresses.refresh()
    assert it.codes() == []


@pytest.mark.parametrize(
    ("spec", "given", "addresses"),
    [
        ({"type": "LoadBalancer"}, [{"ip": "192.0.2.9"}], [ip("192.0.2.9")]),
        (
            {"type": "LoadBalancer", "externalIPs": ["198.51.100.1"], "clusterIP": "10.96.0.9"},
            [{"hostname": "lb.example.com"}, {"ip": "192.0.2.9"}],
            [host("lb.example.com"), ip("192.0.2.9"), ip("198.51.100.1")],
        ),
        ({"type": "LoadBalancer", "externalIPs": ["198.51.100.1"]}, [], [ip("198.51.100.1")]),
        ({"type": "NodePort", "externalIPs": ["198.51.100.1"], "clusterIP": "10.96.0.9"}, [], [ip("198.51.100.1")]),
        ({"type": "NodePort", "clusterIP": "10.96.0.9"}, [], [ip("10.96.0.9")]),
        ({"type": "ClusterIP", "clusterIP": "10.96.0.9"}, [], [ip("10.96.0.9")]),
        ({"type": "ExternalName", "externalName": "lb.example.com"}, [], [host("lb.example.com")]),
        ({"type": "ClusterIP", "clusterIP": "None"}, [], []),
        ({"type": "LoadBalancer", "clusterIP": "10.96.0.9"}, [], []),
    ],
)
def test_a_service_is_reached_from_outside_if_it_can_be(
    spec: dict[str, Any], given: list[dict[str, str]], addresses: list[LoadBalancerIngress]
) -> None:
    it = Bench(service=("ingress", "front"))
    it.put(service(spec, *given))
    assert it.addresses.refresh() is bool(addresses)
    assert it.addresses.now == tuple(addresses)
    assert it.codes() == ([] if addresses else ["NoPublishAddress"])


def test_a_service_is_followed() -> None:
    it = Bench(service=("ingress", "front"))
    it.put(service({"type": "LoadBalancer"}, {"ip": "192.0.2.9"}))
    assert it.addresses.refresh()
    assert not it.addresses.refresh()
    it.put(service({"type": "LoadBalancer"}, {"ip": "192.0.2.10"}, {"ip": "192.0.2.9"}))
    assert it.addresses.refresh()
    assert it.addresses.now == (ip("192.0.2.10"), ip("192.0.2.9"))


@pytest.mark.parametrize("gone", [True, False])
def test_known_addresses_stay_when_the_service_goes_or_loses_them(gone: bool) -> None:
    it = Bench(service=("ingress", "front"))
    it.put(service({"type": "LoadBalancer"}, {"ip": "192.0.2.9"}))
    it.addresses.refresh()
    if gone:
        found = it.store.view().get("Service", "ingress", "front")
        assert found is not None
        it.store.apply([Delete(found.key)])
    else:
        it.put(service({"type": "LoadBalancer"}))
    assert not it.addresses.refresh()
    assert it.addresses.now == (ip("192.0.2.9"),)
    ((problem,),) = it.scopes.values()
    assert problem.code == ("PublishServiceMissing" if gone else "NoPublishAddress")
    assert "known last" in problem.message
    it.put(service({"type": "LoadBalancer"}, {"ip": "192.0.2.9"}))
    assert not it.addresses.refresh()
    assert it.codes() == []


def test_a_service_without_an_address_has_the_problem_on_it() -> None:
    it = Bench(service=("ingress", "front"))
    it.put(service({"type": "LoadBalancer"}))
    it.addresses.refresh()
    ((problem,),) = it.scopes.values()
    assert problem.object is not None
    assert problem.object.uid == "uid-of-front"
    assert "no status of an Ingress is written" in problem.message


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [("internal", [ip("10.0.0.1"), ip("10.0.0.2")]), ("external", [host("b.example.com"), ip("192.0.2.1")])],
)
def test_nodes_that_run_our_pods(kind: str, addresses: list[LoadBalancerIngress]) -> None:
    it = Bench(nodes=kind)
    it.put(node("a", InternalIP="10.0.0.1", ExternalIP="192.0.2.1", Hostname="a"))
    it.put(node("b", InternalIP="10.0.0.2", ExternalDNS="b.example.com"))
    it.put(node("c", InternalIP="10.0.0.3", ExternalIP="192.0.2.3"))
    for each in (pod("one", "a"), pod("two", "a"), pod("three", "b")):
        it.put(each)
    it.put(pod("ended", "c", "Succeeded"))
    it.put(pod("ending", "c", deletionTimestamp="2026-01-01T00:00:00Z"))
    it.put(pod("waiting", "", "Pending"))
    it.put(pod("elsewhere", "unknown"))
    assert it.addresses.refresh()
    assert it.addresses.now == tuple(addresses)
    assert it.codes() == []


def test_no_node_with_such_an_address_is_a_problem() -> None:
    it = Bench(nodes="external")
    it.put(node("a", InternalIP="10.0.0.1"))
    it.put(pod("one", "a"))
    assert not it.addresses.refresh()
    assert it.codes() == ["NoPublishAddress"]


def test_without_a_place_there_is_no_address_and_no_problem() -> None:
    it = Bench()
    assert not it.addresses.configured
    assert not it.addresses.refresh()
    assert (it.addresses.now, it.codes()) == ((), [])
