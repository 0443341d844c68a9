"""Pods come and go under load, with no preStop hook: what clients of the gateway see of it.

How a pod ends decides what can be promised, since requests go to it until word of its end has come.

- It serves through its grace period: nothing fails, and nothing has to be tried again.
- It closes its listener at SIGTERM, finishes what is in flight and closes idle connections: no GET fails, and no POST
  that finds nobody listening. A POST that is on its way over a kept connection while the pod closes that one fails,
  since nobody can tell whether it ran.
- It vanishes at once: so do POSTs that were in flight there. A GET would fail too if a part of its answer had been
  passed on, or if it was in flight at one pod after the other as each vanished, as often as a request is tried. When
  eleven of twelve go, that is sometimes seen.
- It vanishes with its node: the same, after the timeouts, and for POSTs on connections that were kept to it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.support.access_log import reasons, records, told
from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load, run_twice
from tests.cluster.support.space import Space
from tests.cluster.support.workload import Workload
from tests.support.eventually import eventually
from tests.support.manifests import Rule

Start = Callable[..., Controller]
HOST = "shop.example"
CONNECTIONS = 12
BUSY = {"FAKE_DELAY": "10ms", "FAKE_READY_AFTER": "200ms"}
"""A pod always has requests in flight, and takes its time to begin."""
SERVE: dict[str, Any] = {"env": BUSY, "annotations": {"fake-kubelet/grace": "4s"}}
CLOSE: dict[str, Any] = {"env": {**BUSY, "FAKE_ON_TERM": "close"}}
VANISH: dict[str, Any] = {"env": BUSY, "grace": 0}
TRIES = 3
"""How often a request is sent before it fails."""
FOR_A_BUDGET = 600
"""Requests before pods vanish: a fifth of them is what may be tried again within the seconds that follow."""


def shop(cluster: Space, controller: Start, replicas: int, **options: Any) -> tuple[Workload, Controller]:
    """Pods of that kind, and a gateway that knows them."""
    pods = cluster.deploy("shop", replicas=replicas, **options)
    cluster.ingress("web", Rule("shop", host=HOST))
    return pods, controller(access_log="json")


def loaded(gateway: Controller) -> Load:
    return Load(gateway.http, HOST, connections=CONNECTIONS, pause=0.002)


def roll_twice(pods: Workload, load: Load) -> None:
    """The second rolling update begins in the middle of the first."""
    load.flows_on()
    pods.roll(wait=False)
    load.flows_on()
    pods.roll()
    load.flows_on()


def scale_down_and_up(pods: Workload, load: Load, most: int) -> None:
    for _ in range(2):
        pods.scale(1)
        load.flows_on()
        pods.scale(most)
        load.flows_on()


def check_nothing_was_noticed(cluster: Space, gateway: Controller, load: Load) -> None:
    assert load.failures == [], told(gateway, load)
    assert load.connects == CONNECTIONS
    assert Counter(each["tries"] for each in records(gateway, load)).keys() == {1}
    assert run_twice(cluster.seen()) == run_twice(cluster.seen(), "GET") == {}


def check_what_could_be_retried_was(cluster: Space, gateway: Controller, load: Load) -> None:
    """Nothing but a POST of which a byte was sent fails, and none runs twice."""
    assert load.failed("GET") == [], told(gateway, load)
    check_no_post_ran_twice(cluster, gateway, load)


def check_no_post_ran_twice(cluster: Space, gateway: Controller, load: Load) -> None:
    assert load.answered["GET"]
    assert load.answered["POST"]
    assert set(reasons(gateway, load)) <= {"upstream_gone"}, told(gateway, load)
    assert run_twice(cluster.seen()) == {}


def test_a_rolling_update_of_pods_that_serve_through_their_grace_period(cluster: Space, controller: Start) -> None:
    pods, gateway = shop(cluster, controller, 3, **SERVE)
    with loaded(gateway) as load:
        roll_twice(pods, load)
    check_nothing_was_noticed(cluster, gateway, load)


def test_a_rolling_update_of_pods_that_close_at_sigterm(cluster: Space, controller: Start) -> None:
    pods, gateway = shop(cluster, controller, 3, **CLOSE)
    with loaded(gateway) as load:
        roll_twice(pods, load)
    check_what_could_be_retried_was(cluster, gateway, load)
    assert len(load.failed("POST")) <= 6, told(gateway, load)


def test_a_rolling_update_of_pods_that_vanish_at_once(cluster: Space, controller: Start) -> None:
    pods, gateway = shop(cluster, controller, 3, **VANISH)
    with loaded(gateway) as load:
        roll_twice(pods, load)
    check_what_could_be_retried_was(cluster, gateway, load)
    assert any(len(seen) > 1 for seen in cluster.seen().values()), "none was in flight where a pod vanished"


def test_a_rolling_update_that_leaves_no_pod_ready(cluster: Space, controller: Start) -> None:
    """All end at the same time: they are asked as long as they serve, until a new one is ready."""
    at_once = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": 0}}
    slow = {**BUSY, "FAKE_READY_AFTER": "2s"}
    pods, gateway = shop(cluster, controller, 3, **{**SERVE, "env": slow}, strategy=at_once)
    with loaded(gateway) as load:
        load.flows_on()
        pods.roll(wait=False)
        pods.until_ready(0)
        load.flows_on()
        pods.until_rolled_out()
        load.flows_on()
    check_nothing_was_noticed(cluster, gateway, load)


@pytest.mark.parametrize("most", [3, 12])
def test_scaling_pods_that_serve_through_their_grace_period(cluster: Space, controller: Start, most: int) -> None:
    pods, gateway = shop(cluster, controller, most, **SERVE)
    with loaded(gateway) as load:
        scale_down_and_up(pods, load, most)
    check_nothing_was_noticed(cluster, gateway, load)


@pytest.mark.parametrize("most", [3, 12])
def test_scaling_pods_that_close_at_sigterm(cluster: Space, controller: Start, most: int) -> None:
    pods, gateway = shop(cluster, controller, most, **CLOSE)
    with loaded(gateway) as load:
        scale_down_and_up(pods, load, most)
    check_what_could_be_retried_was(cluster, gateway, load)
    assert len(load.failed("POST")) <= 6, told(gateway, load)


def test_scaling_pods_that_vanish_at_once(cluster: Space, controller: Start) -> None:
    pods, gateway = shop(cluster, controller, 3, **VANISH)
    with loaded(gateway) as load:
        scale_down_and_up(pods, load, 3)
    check_what_could_be_retried_was(cluster, gateway, load)


def test_scaling_many_pods_that_vanish_at_once(cluster: Space, controller: Start) -> None:
    """More of them go than a request is tried at: a GET fails when it was in flight at that many, and not before."""
    pods, gateway = shop(cluster, controller, 12, **VANISH)
    with loaded(gateway) as load:
        load.flows_on(FOR_A_BUDGET)
        scale_down_and_up(pods, load, 12)
    lost = [each for each in records(gateway, load) if each["method"] == "GET" and each["status"] != 200]
    assert all(each["tries"] >= TRIES for each in lost), told(gateway, load)
    assert len(load.failed("GET")) == len(lost) <= CONNECTIONS, told(gateway, load)
    check_no_post_ran_twice(cluster, gateway, load)


def test_pods_that_become_unready_are_left_alone(cluster: Space, controller: Start) -> None:
    pods, gateway = shop(cluster, controller, 3, **SERVE)
    with loaded(gateway) as load:
        for _ in range(3):
            [stays, *others] = sorted(pods.pod_names())
            for name in others:
                cluster.patch("Pod", name, {"metadata": {"annotations": {"fake-kubelet/ready": "false"}}})
            until_asked(gateway, {stays})
            pods.annotate_pods(ready="true")
            until_asked(gateway, pods.pod_names())
    check_nothing_was_noticed(cluster, gateway, load)


def test_pods_that_have_closed_before_word_of_it_comes(
    cluster: Space, controller: Start, fault_proxy: FaultProxy
) -> None:
    """The moment between a pod's end and the news of it, made long."""
    cluster.ingress("web", Rule("shop", host=HOST))
    pods = cluster.deploy("shop", replicas=12, **CLOSE)
    gateway = controller(access_log="json", through=fault_proxy)
    with loaded(gateway) as load:
        load.flows_on()
        held = fault_proxy.watches(resource="endpointslices")
        assert held
        for watch in held:
            watch.stall()
        pods.scale(1)
        load.flows_on(1000)
        for watch in held:
            watch.resume()
        until_asked(gateway, pods.pod_names())
    check_what_could_be_retried_was(cluster, gateway, load)
    assert len(load.failed("POST")) <= 6, told(gateway, load)
    assert any(each["tries"] > 1 for each in records(gateway, load)), "nobody asked a pod that had closed"


@pytest.mark.parametrize("how", ["refused", "unreachable"])
def test_the_first_requests_after_most_pods_have_gone(
    cluster: Space, controller: Start, fault_proxy: FaultProxy, how: str
) -> None:
    """Nothing is known yet of which are gone; nor are there kept connections that would tell."""
    cluster.ingress("web", Rule("shop", host=HOST))
    pods = cluster.deploy("shop", replicas=12, **VANISH)
    gateway = controller(access_log="json", through=fault_proxy)
    before = pods.ready_addresses()
    for watch in fault_proxy.watches(resource="endpointslices"):
        watch.stall()
    pods.scale(1)
    gone = sorted(before - pods.ready_addresses())
    assert len(gone) == 11
    if how == "unreachable":
        for address in gone:
            forget_address(address)
    # One after the other: of two at the same worker one meets many that have gone.
    assert [gateway.get(host=HOST, method="POST", body=b"once").status for _ in range(3)] == [200] * 3
    with loaded(gateway) as load:
        load.flows_on()
    assert load.failures == [], told(gateway, load)
    assert max(each["tries"] for each in records(gateway, load)) > 3


def test_a_pod_whose_node_vanishes_without_a_word(cluster: Space, controller: Start, fault_proxy: FaultProxy) -> None:
    """Nothing answers for it any more; a GET waits in vain once, and a POST is not sent again."""
    pods = cluster.deploy("shop", replicas=3, env=BUSY)
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controller(access_log="json", through=fault_proxy, connect_timeout="1s", read_timeout="2s")
    for watch in fault_proxy.watches(resource="endpointslices"):
        watch.stall()
    with loaded(gateway) as load:
        load.flows_on()
        with swallowed(min(pods.ready_addresses())):
            load.flows_on(2000)
    assert load.failed("GET") == [], told(gateway, load)
    assert set(reasons(gateway, load)) <= {"upstream_read_timeout"}, told(gateway, load)
    assert run_twice(cluster.seen()) == {}
    assert any(each["tries"] > 1 for each in records(gateway, load)), "nobody asked the pod that is not there"


def forget_address(address: str) -> None:
    """Takes an address away that no pod will have again: the network says that there is no way to it."""
    ip(f"route add unreachable {address} table local")


@contextmanager
def swallowed(address: str) -> Iterator[None]:
    """What is sent to the address goes down a cable at whose end nobody is."""
    ip("link add tests-void type veth peer name tests-void-end")
    try:
        for end in ("tests-void", "tests-void-end"):
            ip(f"link set {end} up")
        ip("address add 198.18.0.1/30 dev tests-void")
        ip(f"neighbour add {address} lladdr 02:00:00:00:00:01 dev tests-void")
        ip(f"route add {address} dev tests-void table local")
        yield
    finally:
        ip("link delete tests-void")


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


def until_asked(gateway: Controller, pods: set[str]) -> None:
    """Waits until these pods answer, and no others."""
    eventually(lambda: {str(gateway.get(host=HOST).json()["pod"]) for _ in range(30)} == pods)
