"""Which namespaces count, and which endpoints of a Service: of the own zone, of both families, or its ClusterIP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, endpoint_slice, plain_service

Start = Callable[..., Controller]
ENOUGH = 60
"""Requests after which each of a few endpoints has been asked, all but certainly."""


def answering(gateway: Controller, host: str, field: str = "service") -> set[str]:
    """Who answers a number of requests."""
    answers = [gateway.get(host=host) for _ in range(ENOUGH)]
    assert {answer.status for answer in answers} == {200}
    return {str(answer.json()[field]) for answer in answers}


# --- namespaces ---------------------------------------------------------------------------------------------------


def shop_in(space: Space, class_name: str) -> str:
    """A Service and an Ingress before it; its host, named after the namespace."""
    host = f"{space.namespace}.example"
    space.deploy("shop")
    space.ingress("web", Rule("shop", host=host), class_name=class_name)
    return host


def test_only_the_listed_namespaces_are_watched(
    cluster: Space, spaces: Callable[[], Space], fault_proxy: FaultProxy, controller: Start
) -> None:
    second, third = spaces(), spaces()
    hosts = [shop_in(each, cluster.class_name) for each in (cluster, second, third)]
    gateway = controller(through=fault_proxy, watch_namespace=(cluster.namespace, second.namespace))
    assert [gateway.service_at(host=host) for host in hosts] == ["shop", "shop", "404"]
    for each in (third, second, cluster):
        each.ingress("later", Rule("shop", host=f"later.{each.namespace}"), class_name=cluster.class_name)
    for each in (second, cluster):
        gateway.until_routed(f"later.{each.namespace}")
    assert gateway.service_at(host=f"later.{third.namespace}") == "404"
    asked = {call.namespace for call in fault_proxy.calls(resource="ingresses")}
    assert asked == {cluster.namespace, second.namespace}, "all namespaces would be the empty one"


def test_a_namespace_counts_while_it_has_the_label(
    cluster: Space, spaces: Callable[[], Space], controller: Start
) -> None:
    other = spaces()
    hosts = [shop_in(each, cluster.class_name) for each in (cluster, other)]
    label(cluster, "served", cluster.class_name)
    gateway = controller(watch_namespace_selector=f"served={cluster.class_name}")
    assert [gateway.service_at(host=host) for host in hosts] == ["shop", "404"]
    label(other, "served", cluster.class_name)
    gateway.until_routed(hosts[1])
    label(cluster, "served", None)
    gateway.until_routed(hosts[0], status=404)
    label(other, "served", "another")
    gateway.until_routed(hosts[1], status=404)
    other.ingress("later", Rule("shop", host="later.example"), class_name=cluster.class_name)
    label(cluster, "served", cluster.class_name)
    gateway.until_routed(hosts[0])
    assert gateway.service_at(host="later.example") == "404"


def label(space: Space, key: str, value: str | None) -> None:
    """Labels the namespace; None takes the label away."""
    space.patch("Namespace", space.namespace, {"metadata": {"labels": {key: value}}})


# --- zones --------------------------------------------------------------------------------------------------------


def test_hints_keep_traffic_in_the_zone_while_there_is_an_endpoint(cluster: Space, controller: Start) -> None:
    """The node of the controller is in zone-a. What is in the slice is written by hand."""
    places = {}
    for zone in ("zone-a", "zone-b"):
        made = cluster.deploy(f"in-{zone}", node_selector={"topology.kubernetes.io/zone": zone})
        [places[zone]] = made.ready_addresses()

    def endpoint(zone: str, *, ready: bool = True, hinted: bool = True) -> Manifest:
        hints = {"hints": {"forZones": [{"name": zone}]}} if hinted else {}
        return {"addresses": [places[zone]], "conditions": {"ready": ready}, "zone": zone, **hints}

    def write(*endpoints: Manifest) -> None:
        cluster.apply(endpoint_slice("shop", *endpoints, port=8080, port_name="http"))

    both = {"in-zone-a", "in-zone-b"}
    cluster.apply(plain_service("shop", {"name": "http", "port": 80, "targetPort": 8080}))
    write(endpoint("zone-a"), endpoint("zone-b"))
    cluster.ingress("web", Rule("shop", host="shop.example"))
    careless = controller()
    near = controller(topology_aware_routing=True)
    far = controller(topology_aware_routing=True, environment={"NODE_NAME": "node-b"})
    assert answering(careless, "shop.example") == both
    assert answering(near, "shop.example") == {"in-zone-a"}
    assert answering(far, "shop.example") == {"in-zone-b"}
    # The zone empties, and fills again.
    write(endpoint("zone-a", ready=False), endpoint("zone-b"))
    eventually(lambda: answering(near, "shop.example") == {"in-zone-b"})
    write(endpoint("zone-a"), endpoint("zone-b"))
    eventually(lambda: answering(near, "shop.example") == {"in-zone-a"})
    # Hints that not all have are not followed.
    write(endpoint("zone-a"), endpoint("zone-b", hinted=False))
    eventually(lambda: answering(near, "shop.example") == both)


# --- ClusterIPs and families --------------------------------------------------------------------------------------


def test_the_cluster_ip_is_asked_in_place_of_the_endpoints(cluster: Space, controller: Start) -> None:
    """Nobody serves ClusterIPs here but the test itself."""
    cluster.deploy("shop")
    service = cluster.read("Service", "shop")
    assert service
    cluster.ingress("plain", Rule("shop", host="plain.example"))
    for value in ("true", "false"):
        host = f"{value}.example"
        cluster.ingress(value, Rule("shop", host=host), annotations={"service-upstream": value})
    hosts = ("plain.example", "true.example", "false.example")
    unflagged, flagged = controller(), controller(service_upstream=True)
    with listening(service["spec"]["clusterIP"], 80):
        assert [unflagged.get(host=host).header("x-cluster-ip") for host in hosts] == [None, "yes", None]
        assert [flagged.get(host=host).header("x-cluster-ip") for host in hosts] == ["yes", "yes", None]
    assert [unflagged.service_at(host=host) for host in hosts] == ["shop", "502", "shop"]


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Answers there, with a header that no pod has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("X-Cluster-IP", "yes")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((address, port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_endpoints_of_both_families_are_used(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop", replicas=2, service={"ipFamilyPolicy": "RequireDualStack"})
    six = cluster.deploy("six", wait=False, service={"ipFamilies": ["IPv6"]})
    eventually(lambda: (len(shop.ready_addresses("IPv6")), len(six.ready_addresses("IPv6"))) == (2, 1))
    assert six.ready_addresses() == set()
    cluster.ingress("web", Rule("shop", host="shop.example"), Rule("six", host="six.example"))
    gateway = controller()
    assert answering(gateway, "shop.example", "podIP") == shop.ready_addresses() | shop.ready_addresses("IPv6")
    assert answering(gateway, "six.example", "podIP") == six.ready_addresses("IPv6")
    shop.scale(1)
    eventually(lambda: len(shop.ready_addresses("IPv6")) == 1)
    one = shop.ready_addresses() | shop.ready_addresses("IPv6")
    eventually(lambda: answering(gateway, "shop.example", "podIP") == one)
