"""Traffic goes from the gateway to pods of a real cluster."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load, run_twice
from tests.cluster.support.space import Space
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.manifests import Rule

Start = Callable[..., Controller]


def pods_asked(gateway: Controller, host: str, requests: int = 40) -> set[str]:
    """The pods that answer a number of requests."""
    return {str(gateway.get(host=host).json()["pod"]) for _ in range(requests)}


def test_requests_reach_all_pods_of_a_service(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop", replicas=3)
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    assert pods_asked(gateway, "shop.example") == shop.pod_names()
    assert gateway.get(host="other.example").status == 404


def test_an_ingress_that_comes_later_is_served_until_it_is_deleted(cluster: Space, controller: Start) -> None:
    gateway = controller()
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", path="/cart", host="shop.example"))
    assert gateway.until_routed("shop.example", "/cart/1").json()["path"] == "/cart/1"
    cluster.delete("Ingress", "web")
    gateway.until_routed("shop.example", "/cart/1", status=404)


def test_rules_name_ports_and_paths_of_several_services(cluster: Space, controller: Start) -> None:
    cluster.deploy("shop")
    cluster.deploy("cart")
    cluster.ingress(
        "web",
        Rule("shop", host="shop.example", port="http"),
        Rule("cart", path="/cart", host="shop.example"),
    )
    gateway = controller()
    assert gateway.service_at("/", host="shop.example") == "shop"
    assert gateway.service_at("/cart", host="shop.example") == "cart"


def test_endpoints_follow_the_pods(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    shop.scale(3)
    eventually(lambda: pods_asked(gateway, "shop.example") == shop.pod_names())
    [first, *_] = shop.pod_names()
    cluster.patch("Pod", first, {"metadata": {"annotations": {"fake-kubelet/ready": "false"}}})
    eventually(lambda: pods_asked(gateway, "shop.example") == shop.pod_names() - {first})


def test_a_service_without_pods_answers_503_until_it_has_one(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop", replicas=0)
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    gateway.until_routed("shop.example", status=503)
    shop.scale(1)
    gateway.until_routed("shop.example")


def test_all_slices_of_a_service_count(cluster: Space, controller: Start) -> None:
    """The control plane puts a hundred endpoints into a slice; a second slice here is written by hand."""
    shop = cluster.deploy("shop")
    other = cluster.deploy("other")
    [address] = other.ready_addresses()
    cluster.apply(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "shop-by-hand", "labels": {"kubernetes.io/service-name": "shop"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
    )
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    assert pods_asked(gateway, "shop.example") == shop.pod_names() | other.pod_names()
    cluster.delete("EndpointSlice", "shop-by-hand")
    eventually(lambda: pods_asked(gateway, "shop.example") == shop.pod_names())


def test_a_dual_stack_service_is_reached(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop", service={"ipFamilyPolicy": "RequireDualStack"})
    eventually(lambda: len(shop.ready_addresses("IPv6")) == 1)
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    addresses = {str(gateway.get(host="shop.example").json()["podIP"]) for _ in range(40)}
    assert addresses <= shop.ready_addresses() | shop.ready_addresses("IPv6")


def test_https_with_the_certificate_of_a_secret_that_is_replaced(
    cluster: Space, controller: Start, authority: Authority
) -> None:
    def serial(gateway: Controller) -> int:
        with gateway.connect_tls(authority.trusting(), "shop.example") as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            shown = client.sock.getpeercert()
        assert shown
        return int(str(shown["serialNumber"]), 16)

    first, second = (authority.issue("shop.example") for _ in range(2))
    cluster.deploy("shop")
    cluster.apply(first.secret("shop-tls"))
    cluster.ingress("web", Rule("shop", host="shop.example"), tls={"shop-tls": ["shop.example"]})
    gateway = controller()
    assert gateway.get_tls(authority.trusting(), host="shop.example").json()["service"] == "shop"
    assert serial(gateway) == first.serial
    cluster.apply(second.secret("shop-tls"))
    eventually(lambda: serial(gateway) == second.serial)


def test_a_start_while_the_api_server_is_away_waits_for_it(
    cluster: Space, controller: Start, fault_proxy: FaultProxy
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    with fault_proxy.away():
        gateway = controller(through=fault_proxy, wait=False)
        eventually(lambda: gateway.ask("/readyz").status == 503)
    gateway.until_ready()
    assert gateway.service_at(host="shop.example") == "shop"


def test_pods_that_are_replaced_under_load_cost_no_request(cluster: Space, controller: Start) -> None:
    shop = cluster.deploy("shop", replicas=2)
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway = controller()
    with Load(gateway.http, "shop.example", connections=4) as load:
        shop.roll()
        load.flows_on()
    assert load.failures == []
    assert run_twice(cluster.seen()) == {}
