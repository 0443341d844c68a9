"""TCP and UDP services of a cluster: their ConfigMaps and their endpoints are followed while streams are open."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.cluster.support import objects
from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.cluster.support.streams import answer_at, is_open, pods_at
from tests.cluster.support.workload import Workload
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import eventually
from tests.support.tcp import free_port
from tests.support.udp import UdpServer, udp_client

Start = Callable[..., Controller]
DNS_PORT = 5353
"""Of pods that serve UDP: the test itself answers there, at the addresses of pods."""


def publish(space: Space, layer: str, entries: Mapping[int, str]) -> None:
    """Makes the ConfigMap of TCP or UDP services say this and no more. Services are those of the test."""
    data = {str(port): f"{space.namespace}/{service}" for port, service in entries.items()}
    space.apply(objects.config_map(layer, data))


def started(start: Start, space: Space, **options: object) -> Controller:
    """A controller that follows both ConfigMaps."""
    named = {f"{layer}_services_configmap": f"{space.namespace}/{layer}" for layer in ("tcp", "udp")}
    return start(**named, **options)


# --- TCP ----------------------------------------------------------------------------------------------------------


def pod_over(stream: RawClient) -> str:
    """The pod at the other end of a connection."""
    return str(stream.send(request_bytes(host="any.example")).response().json()["pod"])


def is_missed(gateway: Controller, layer: str) -> bool:
    """Whether its ConfigMap is said to be missing."""
    told = [each["message"] for each in gateway.problems() if each["code"] == "MissingConfigMap"]
    return any(message.startswith(f"--{layer}-services-configmap") for message in told)


def test_tcp_ports_open_and_close_as_the_config_map_says(cluster: Space, controller: Start) -> None:
    first, second = free_port(), free_port()
    shop, cart = cluster.deploy("shop"), cluster.deploy("cart")
    gateway = started(controller, cluster)
    eventually(lambda: is_missed(gateway, "tcp"))
    publish(cluster, "tcp", {first: "shop:80"})
    eventually(lambda: pods_at(first) == shop.pod_names())
    eventually(lambda: not is_missed(gateway, "tcp"))
    assert not is_open(second)
    publish(cluster, "tcp", {first: "shop:80", second: "cart:http"})
    eventually(lambda: pods_at(second) == cart.pod_names())
    publish(cluster, "tcp", {second: "cart:http"})
    eventually(lambda: not is_open(first))
    assert pods_at(second) == cart.pod_names()
    cluster.delete("ConfigMap", "tcp")
    eventually(lambda: not is_open(second))
    eventually(lambda: is_missed(gateway, "tcp"))


def test_an_edit_moves_new_streams_and_leaves_open_ones(cluster: Space, controller: Start) -> None:
    port = free_port()
    shop, cart = cluster.deploy("shop"), cluster.deploy("cart")
    publish(cluster, "tcp", {port: "shop:80"})
    started(controller, cluster)
    eventually(lambda: is_open(port))
    with RawClient(("127.0.0.1", port)) as stream:
        assert {pod_over(stream)} == shop.pod_names()
        publish(cluster, "tcp", {port: "cart:80"})
        eventually(lambda: pods_at(port) == cart.pod_names())
        assert {pod_over(stream)} == shop.pod_names()
        publish(cluster, "tcp", {})
        eventually(lambda: not is_open(port))
        assert {pod_over(stream)} == shop.pod_names(), "the port is closed, the stream goes on"


def test_streams_follow_the_endpoints(cluster: Space, controller: Start) -> None:
    port = free_port()
    shop = cluster.deploy("shop")
    publish(cluster, "tcp", {port: "shop:80"})
    started(controller, cluster)
    eventually(lambda: is_open(port))
    [first] = shop.pod_names()
    with RawClient(("127.0.0.1", port)) as stream:
        assert pod_over(stream) == first
        shop.scale(3)
        eventually(lambda: pods_at(port) == shop.pod_names())
        cluster.patch("Pod", first, {"metadata": {"annotations": {"fake-kubelet/ready": "false"}}})
        eventually(lambda: pods_at(port) == shop.pod_names() - {first})
        assert pod_over(stream) == first, "no new streams go there, and this one stays"


def test_an_edit_while_the_api_server_is_away_is_followed_when_it_is_back(
    cluster: Space, controller: Start, fault_proxy: FaultProxy
) -> None:
    first, second = free_port(), free_port()
    shop = cluster.deploy("shop")
    publish(cluster, "tcp", {first: "shop:80"})
    started(controller, cluster, through=fault_proxy)
    eventually(lambda: is_open(first))
    with fault_proxy.away():
        publish(cluster, "tcp", {second: "shop:80"})
        assert pods_at(first) == shop.pod_names()
        assert not is_open(second)
    eventually(lambda: is_open(second))
    eventually(lambda: not is_open(first))


# --- UDP ----------------------------------------------------------------------------------------------------------


def deploy_dns(space: Space, *, replicas: int) -> Workload:
    """Pods behind a Service of UDP; nobody answers at them yet."""
    ports = [{"name": "dns", "port": 53, "targetPort": DNS_PORT, "protocol": "UDP"}]
    return space.deploy("dns", replicas=replicas, service={"ports": ports})


@contextlib.contextmanager
def answering(pods: Workload) -> Iterator[set[str]]:
    """A server at the address of each pod, named by it; the addresses."""
    addresses = pods.ready_addresses()
    with contextlib.ExitStack() as stack:
        for address in addresses:
            stack.enter_context(UdpServer(address, at=(address, DNS_PORT)))
        yield addresses


def answers_at(port: int) -> set[str]:
    return {answer_at(port) for _ in range(12)}


def test_udp_ports_open_and_close_as_the_config_map_says(cluster: Space, controller: Start) -> None:
    first, second = (free_port(socket.SOCK_DGRAM) for _ in range(2))
    dns = deploy_dns(cluster, replicas=1)
    started(controller, cluster)
    with answering(dns) as pods:
        assert answers_at(first) == {""}
        publish(cluster, "udp", {first: "dns:53"})
        eventually(lambda: answers_at(first) == pods)
        publish(cluster, "udp", {second: "dns:dns"})
        eventually(lambda: answers_at(second) == pods)
        eventually(lambda: answers_at(first) == {""})


def test_sessions_follow_the_endpoints(cluster: Space, controller: Start) -> None:
    port = free_port(socket.SOCK_DGRAM)
    dns = deploy_dns(cluster, replicas=2)
    publish(cluster, "udp", {port: "dns:53"})
    started(controller, cluster)
    with answering(dns) as pods, udp_client() as sock:
        eventually(lambda: answers_at(port) == pods)
        sock.connect(("127.0.0.1", port))
        sock.send(b"q")
        stays = sock.recv(100).decode().removesuffix(":q")
        [leaves] = [each["metadata"]["name"] for each in dns.pods() if each["status"]["podIP"] == stays]
        cluster.patch("Pod", leaves, {"metadata": {"annotations": {"fake-kubelet/ready": "false"}}})
        eventually(lambda: answers_at(port) == pods - {stays})
        sock.send(b"q")
        assert sock.recv(100).decode() == f"{stays}:q", "its session has an endpoint until it ends"


@pytest.mark.parametrize("layer", ["tcp", "udp"])
def test_a_bad_entry_is_an_event_on_the_config_map_and_harms_no_other(
    cluster: Space, controller: Start, layer: str
) -> None:
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[layer]
    port, bad = free_port(kind), free_port(kind)
    cluster.deploy("shop")
    gateway = started(controller, cluster)
    publish(cluster, layer, {port: "shop:80", bad: "shop"})
    assert f"data[{bad}]" in gateway.problem("InvalidStream")["message"]
    # With UDP there is another one: the Service of the good entry has no such port.
    eventually(lambda: "InvalidStream" in {each["reason"] for each in cluster.events(layer)})
    shown = eventually(lambda: {each["port"]: each["listening"] for each in gateway.streams()["ports"]})
    assert shown == {port: [f"127.0.0.1:{port}"]}
    publish(cluster, layer, {port: "shop:80"})
    eventually(lambda: "InvalidStream" not in {each["code"] for each in gateway.problems()})
