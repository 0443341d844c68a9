"""Of several replicas one writes; the next one goes on where it ends, however that happens, and nothing is wiped.

A Lease that nobody ever held makes a leader only after 15 seconds; most controllers here find one that was given back.
"""

from __future__ import annotations

from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.history import changes, now
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule

ONE = "192.0.2.101"
LEASE = "fastingress-leader"
TAKEN_OVER = 60.0
"""Seconds that a test waits for what happens 15 seconds after a leader was lost."""


def leads(gateway: Controller) -> bool:
    """What its metrics say, which are a second old at most."""
    return gateway.metric("fastingress_leader") == 1


def leader_of(*gateways: Controller, deadline: float = 20.0) -> Controller:
    """The one that leads, once there is one; there are never two."""

    def found() -> list[Controller]:
        leading = [each for each in gateways if leads(each)]
        assert len(leading) == 1, f"{len(leading)} lead"
        return leading

    return eventually(found, deadline=deadline)[0]


def holder(lease: Manifest) -> str:
    """Which controller holds it: what its identity begins with. Empty for none."""
    return str(lease["spec"].get("holderIdentity") or "").rpartition("-")[0]


def is_released(lease: Manifest) -> bool:
    return not holder(lease) and lease["spec"]["leaseDurationSeconds"] == 1


def statuses(cluster: Space, since: str) -> list[list[Manifest] | None]:
    """All that the status of Ingresses has said since then, of those that had one."""
    found = [each.object for each in changes(cluster, "Ingress", since)]
    return [each["status"]["loadBalancer"].get("ingress") for each in found]


def test_of_two_that_race_for_a_new_lease_one_leads_and_its_loss_is_made_good(
    cluster: Space, controllers: Controllers
) -> None:
    """The lease is new, so the first has to wait; then it is killed, and the other takes over when it has run out."""
    cluster.ingress("web", Rule("shop", host="web.example"))
    cluster.ingress("broken", Rule("nowhere", host="broken.example"))
    pair = [controllers.start(publish_status_address=ONE, wait=False, leads_at_once=False) for _ in range(2)]
    for each in pair:
        each.until_ready()
    lost = leader_of(*pair, deadline=TAKEN_OVER)
    [other] = [each for each in pair if each is not lost]
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])
    eventually(lambda: cluster.events("broken"))
    assert not leads(other)
    assert lost.routes() == other.routes()
    first = cluster.read("Lease", LEASE)
    assert first
    since = now(cluster)
    lost.child.kill()
    lost.exit_status()
    cluster.ingress("new", Rule("shop", host="new.example"))
    other.until_routed("new.example", status=503)
    eventually(lambda: leads(other), deadline=TAKEN_OVER, what="the other one leads")
    eventually(lambda: cluster.addresses("new") == [{"ip": ONE}])
    history = [each.object for each in changes(cluster, "Lease", since)]
    assert not any(is_released(each) for each in history), "it was waited for its end, and not given back"
    assert {holder(each) for each in history} <= {holder(first), holder(history[-1])}
    assert holder(history[-1]) != holder(first)
    assert history[-1]["spec"]["leaseTransitions"] == first["spec"]["leaseTransitions"] + 1
    assert all(each in ([{"ip": ONE}], None) for each in statuses(cluster, since))
    assert cluster.addresses("web") == [{"ip": ONE}]
    assert len(cluster.events("broken")) == 1, "both tell the same Event"


def test_a_leader_that_is_told_to_stop_gives_the_lease_to_the_next(cluster: Space, controllers: Controllers) -> None:
    """It goes on to serve meanwhile. How fast it is taken shows in the Lease: no version lets it run out."""
    cluster.ingress("web", Rule("shop", host="web.example"))
    first = controllers.start(publish_status_address=ONE, shutdown_delay="120s")
    leader_of(first)
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])
    second = controllers.start(publish_status_address=ONE)
    before = cluster.read("Lease", LEASE)
    assert before
    since = now(cluster)
    first.child.terminate()
    eventually(lambda: leads(second))
    cluster.ingress("new", Rule("shop", host="new.example"))
    eventually(lambda: cluster.addresses("new") == [{"ip": ONE}])
    history = [each.object for each in changes(cluster, "Lease", since)]
    assert [is_released(each) for each in history].count(True) == 1
    released = next(number for number, each in enumerate(history) if is_released(each))
    assert {holder(each) for each in history[released + 1 :]} == {holder(history[-1])} != {holder(before)}
    assert all(each in ([{"ip": ONE}], None) for each in statuses(cluster, since))
    assert first.get(host="web.example").status == 503, "the first one serves still"
    assert leader_of(first, second) is second


def test_a_leader_whose_api_is_silent_stops_to_lead_before_another_begins(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    first = controllers.start(publish_status_address=ONE, through=fault_proxy)
    leader_of(first)
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])
    second = controllers.start(publish_status_address=ONE)
    since = now(cluster)
    with fault_proxy.silent():
        seen: list[tuple[bool, bool]] = []

        def taken_over() -> bool:
            # The second is asked first: were the first asked first, it could stop and the other begin in between, which
            # is no harm, and be seen as both.
            seen.append((leads(second), leads(first)))
            return seen[-1] == (True, False)

        eventually(taken_over, deadline=TAKEN_OVER)
    assert (True, True) not in seen
    cluster.ingress("new", Rule("shop", host="new.example"))
    eventually(lambda: cluster.addresses("new") == [{"ip": ONE}])
    first.until_routed("new.example", status=503)
    assert not leads(first)
    assert all(each in ([{"ip": ONE}], None) for each in statuses(cluster, since))
