"""Endpoints that flap, fill many slices, and go with their Service, under load: an answer is right or a 503."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.support import objects
from tests.cluster.support.access_log import reasons, records, told
from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule

Start = Callable[..., Controller]
HOST = "shop.example"
CONNECTIONS = 6
FLIPS = 8


def loaded(gateway: Controller) -> Load:
    return Load(gateway.http, HOST, connections=CONNECTIONS, pause=0.005)


def asked(gateway: Controller) -> set[str]:
    """The pods that answer, if they are few; of other answers the status."""
    answers = [gateway.get(host=HOST) for _ in range(30)]
    return {str(each.json()["pod"] if each.status == 200 else each.status) for each in answers}


def until_asked(gateway: Controller, pods: set[str]) -> None:
    """Waits until these few pods answer, and no others."""
    eventually(lambda: asked(gateway) == pods)


def until_all_were_asked(cluster: Space, gateway: Controller, pods: set[str]) -> None:
    """Waits until the load has reached each of these pods, and no others answer any more."""
    eventually(lambda: pods <= {pod for each in cluster.seen().values() for pod in each}, what="all pods are asked")
    eventually(lambda: asked(gateway) <= pods, what="no other pods answer")


def let(cluster: Space, pod: str, *, be_ready: bool) -> None:
    cluster.patch("Pod", pod, {"metadata": {"annotations": {"fake-kubelet/ready": str(be_ready).lower()}}})


def test_a_pod_that_is_ready_by_turns_costs_no_request(
    cluster: Space, controller: Start, fault_proxy: FaultProxy
) -> None:
    pods = cluster.deploy("shop", replicas=2)
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controller(access_log="json", through=fault_proxy)
    [stays, flaps] = sorted(pods.pod_names())
    fault_proxy.forget_calls()
    with loaded(gateway) as load:
        for _ in range(FLIPS):
            let(cluster, flaps, be_ready=False)
            until_asked(gateway, {stays})
            let(cluster, flaps, be_ready=True)
            until_asked(gateway, {stays, flaps})
    assert load.failures == [], told(gateway, load)
    assert load.connects == CONNECTIONS
    assert {each["tries"] for each in records(gateway, load)} == {1}
    assert fault_proxy.calls(is_list=True) == []


def test_the_only_pod_is_ready_by_turns(cluster: Space, controller: Start) -> None:
    """Nobody is asked while it is not, and it is asked at once when it is."""
    pods = cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controller(access_log="json")
    [flaps] = pods.pod_names()
    with loaded(gateway) as load:
        for _ in range(FLIPS):
            let(cluster, flaps, be_ready=False)
            gateway.until_routed(HOST, status=503)
            let(cluster, flaps, be_ready=True)
            gateway.until_routed(HOST)
    assert {each.why[:3] for each in load.failures} == {"503"}, told(gateway, load)
    assert reasons(gateway, load).keys() == {"no_endpoints"}


def test_slices_grow_and_shrink(cluster: Space, controller: Start) -> None:
    """A slice takes a hundred endpoints: here are two by the control plane, and one by hand."""
    pods = cluster.deploy("shop", replicas=3, env={"FAKE_DELAY": "2ms"})
    other = cluster.deploy("other", replicas=2)
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controller(access_log="json")
    by_hand = slice_of(sorted(other.ready_addresses()))
    with loaded(gateway) as load:
        pods.scale(120)
        assert len(pods.slices()) > 1
        until_all_were_asked(cluster, gateway, pods.pod_names())
        cluster.apply(by_hand)
        until_all_were_asked(cluster, gateway, pods.pod_names() | other.pod_names())
        cluster.delete("EndpointSlice", by_hand["metadata"]["name"])
        pods.scale(3)
        until_all_were_asked(cluster, gateway, pods.pod_names())
    assert load.failures == [], told(gateway, load)
    assert load.connects == CONNECTIONS


def test_a_service_is_deleted_and_made_again(cluster: Space, controller: Start) -> None:
    pods = cluster.deploy("shop", replicas=2)
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controller(access_log="json")
    with loaded(gateway) as load:
        for _ in range(3):
            load.flows_on()
            cluster.delete("Service", "shop")
            gateway.until_routed(HOST, status=503)
            eventually(lambda: pods.slices() == [])
            fails_on(load)
            cluster.apply(objects.service_of("shop"))
            until_asked(gateway, pods.pod_names())
    assert {each.why[:3] for each in load.failures} == {"503"}, told(gateway, load)
    assert reasons(gateway, load).keys() <= {"no_backend", "no_endpoints"}


def fails_on(load: Load, requests: int = 20) -> None:
    """Waits until that many more requests have failed."""
    wanted = len(load.failures) + requests
    eventually(lambda: len(load.failures) >= wanted)


def slice_of(addresses: list[str]) -> Manifest:
    """A further slice of the Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "shop-by-hand", "labels": {"kubernetes.io/service-name": "shop"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": objects.PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }
