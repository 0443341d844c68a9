"""What is written: by the leader alone, only what differs, so many at once and no more; and nothing else holds it up.

The proxy counts: what an API server shows in the end does not tell who wrote it, nor how often.
"""

from __future__ import annotations

from typing import Any

from tests.cluster.support import faults, objects
from tests.cluster.support.calls import Call
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load
from tests.cluster.support.space import Space
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.manifests import Rule

ONE, TWO = "192.0.2.101", "192.0.2.102"
HOST = "shop.example"
STATUS = "ingresses/status"
AT_ONCE = 16
"""Writes of status that may be under way."""
BURST, RATE = 100, 20.0
"""Events that may be stated at once, and a second."""


def says(cluster: Space, name: str, address: str) -> bool:
    return cluster.addresses(name) == [{"ip": address}]


def written(proxy: FaultProxy) -> list[Call]:
    """All that was written into status and Events by way of a proxy."""
    return proxy.calls(verb="patch", resource=STATUS) + proxy.calls(verb="create patch", resource="events")


def leads(gateway: Controller) -> bool:
    return gateway.metric("fastingress_leader") == 1


def most_within(calls: list[Call], seconds: float) -> int:
    """The most calls that came within so many seconds."""
    times = sorted(call.at for call in calls)
    return max((sum(1 for at in times if since <= at < since + seconds) for since in times), default=0)


def test_a_follower_writes_nothing_and_who_takes_over_only_what_differs(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    """The follower is of another mind about the address, so that it would find a lot to write."""
    cluster.ingress("web", Rule("shop", host="web.example"))
    cluster.ingress("broken", Rule("nowhere", host="broken.example"))
    first = controllers.start(publish_status_address=ONE, shutdown_delay="0s")
    eventually(lambda: leads(first))
    second = controllers.start(publish_status_address=TWO, through=fault_proxy, shutdown_delay="0s")
    eventually(lambda: says(cluster, "web", ONE) and cluster.events("broken"))
    cluster.ingress("later", Rule("elsewhere", host="later.example"))
    eventually(lambda: says(cluster, "later", ONE) and cluster.events("later"))
    second.until_routed("later.example", status=503)
    reads = fault_proxy.count(verb="get", resource="leases")
    eventually(lambda: fault_proxy.count(verb="get", resource="leases") > reads + 1, what="it asks who leads")
    assert written(fault_proxy) == []
    assert fault_proxy.count(verb="update create", resource="leases") == 0

    assert first.stop() == 0
    eventually(lambda: all(says(cluster, name, TWO) for name in ("web", "broken", "later")), what="the other took over")
    eventually(lambda: fault_proxy.count(resource="events", status=200))
    assert second.stop() == 0

    fault_proxy.forget_calls()
    third = controllers.start(publish_status_address=TWO, through=fault_proxy)
    eventually(lambda: leads(third))
    cluster.ingress("new", Rule("shop", host="new.example"))
    eventually(lambda: says(cluster, "new", TWO))
    assert {call.name for call in fault_proxy.calls(verb="patch", resource=STATUS)} == {"new"}


def test_many_watches_hold_up_neither_writes_nor_the_lease_and_writes_are_bounded(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, authority: Authority
) -> None:
    """More watches than an HTTP client has connections unless it is told, and more writes than may be made at once."""
    pair = authority.issue("*.many.example")
    names = [f"tls-{number}" for number in range(120)]
    cluster.apply(*(pair.secret(name) for name in names))
    hosts = {name: [f"{name}.many.example"] for name in names}
    cluster.ingress("many", Rule("shop", host="many.example"), tls=hosts)
    for number in range(60):
        cluster.ingress(f"web-{number}", Rule("shop", host=f"web-{number}.example"))
    options: dict[str, Any] = {"secret_access": "named", "watch_namespace": cluster.namespace}
    late = 0.5
    with fault_proxy.fault(faults.Delay(late), verb="patch", resource=STATUS):
        controllers.start(through=fault_proxy, publish_status_address=ONE, **options)
        eventually(lambda: len(fault_proxy.watches(resource="secrets")) == len(names), what="all are watched")
        renewed = fault_proxy.count(verb="update", resource="leases", status=200)
        eventually(lambda: all(says(cluster, name, ONE) for name in ("many", *(f"web-{n}" for n in range(60)))))
        eventually(lambda: fault_proxy.count(verb="update", resource="leases", status=200) > renewed)
    writes = fault_proxy.calls(verb="patch", resource=STATUS)
    assert len({call.name for call in writes}) == 61
    # Each is under way for `late` seconds at the least: what came within them was under way at once.
    assert AT_ONCE / 2 < most_within(writes, late) <= AT_ONCE


def test_a_storm_of_problems_is_told_at_a_bounded_rate_and_costs_no_request(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway = controllers.start(through=fault_proxy)
    with Load(gateway.http, HOST, connections=2, pause=0.01) as load:
        for number in range(300):
            cluster.ingress(f"broken-{number}", Rule("nowhere", host=f"broken-{number}.example"))
        eventually(lambda: fault_proxy.count(verb="create", resource="events") > BURST + RATE)
        load.flows_on()
    assert load.failures == []
    told = sorted(call.at for call in fault_proxy.calls(verb="create patch", resource="events"))
    for number, at in enumerate(told):
        assert number <= BURST + RATE * (at - told[0]) + 5, "those few may have been held up on the way"
    assert len(gateway.problems()) >= 300, "the admin port tells all of them"


def test_a_slow_server_is_served_from_all_the_same(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    """Every answer is 0.8 seconds late, from the start on."""
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    with fault_proxy.fault(faults.Delay(0.8)) as slow:
        gateway = controllers.start(through=fault_proxy, publish_status_address=ONE)
        with Load(gateway.http, HOST, connections=2, pause=0.01) as load:
            eventually(lambda: says(cluster, "web", ONE))
            cluster.apply(objects.service_of("shop", "late"))
            cluster.ingress("late", Rule("late", host="late.example"))
            gateway.until_routed("late.example")
            eventually(lambda: says(cluster, "late", ONE))
            load.flows_on()
        assert load.failures == []
        assert [each["code"] for each in gateway.problems()] == []
        listed = [call.resource for call in slow.hits if call.is_list]
    assert len(listed) == len(set(listed)), "nothing is listed twice"
