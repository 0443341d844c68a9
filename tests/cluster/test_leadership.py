"""Of several replicas one writes; the next one goes on where it ends, however that happens, and nothing is wiped.

A Lease that nobody ever held makes a leader only after 15 seconds, and so long it takes to replace one that was lost.
These waits run side by side: three pairs of replicas, each with a class and an election of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.corner import Corner, corner
from tests.cluster.support.history import changes, now
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress_class

ONE = "192.0.2.101"
TAKEN_OVER = 60.0
"""Seconds that a test waits for what happens 15 seconds after a leader was lost."""


@dataclass
class Pair:
    """Two replicas, and an Ingress of their class that has the name of the pair."""

    space: Space
    name: str
    first: Controller
    second: Controller
    since: str = ""
    """The version of the cluster when the first one was lost."""
    silence: ExitStack = field(default_factory=ExitStack)
    """Ends the silence of the first one's API."""

    def ingress(self, suffix: str = "", service: str = "shop") -> str:
        """Makes an Ingress of their class; its name."""
        name = f"{self.name}{suffix}"
        rule = Rule(service, host=f"{name}.example")
        self.space.ingress(name, rule, class_name=f"{self.space.class_name}-{self.name}")
        return name

    def leases(self) -> list[Manifest]:
        """What became of the Lease since the first one was lost."""
        found = [each.object for each in changes(self.space, "Lease", self.since)]
        return [each for each in found if each["metadata"]["name"] == self.name]

    def assert_nothing_wiped(self) -> None:
        """The status of no Ingress that had one was ever empty since the first one was lost."""
        for each in changes(self.space, "Ingress", self.since):
            name, said = each.object["metadata"]["name"], each.object["status"]["loadBalancer"].get("ingress")
            if name.startswith(self.name) and not (name.endswith("-new") and said is None):
                assert said == [{"ip": ONE}], name
        assert self.space.addresses(self.name) == [{"ip": ONE}]


class Watched:
    """Asks on a thread of its own who leads, again and again: the second of a pair, then the first.

    In this order, since the first may stop and the second begin between the two questions.
    """

    def __init__(self, pair: Pair) -> None:
        self.seen: set[tuple[bool, bool]] = set()
        self._pair = pair
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(20)

    def _ask(self) -> None:
        while not self._done.wait(0.1):
            self.seen.add((leads(self._pair.second), leads(self._pair.first)))


@pytest.fixture(scope="module")
def here(control_plane_at: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """A place for all of them."""
    with corner(control_plane_at, tmp_path_factory.mktemp("leadership"), "leadership") as made:
        yield made


def pair(here: Corner, name: str, *, first: dict[str, Any] | None = None, **options: Any) -> Pair:
    """Two replicas; the first one leads, unless their Lease is new."""
    space = here.space
    chosen = {
        "controller_class": f"{space.controller_class}-{name}",
        "election_id": name,
        "publish_status_address": ONE,
        **options,
    }
    space.apply(ingress_class(f"{space.class_name}-{name}", chosen["controller_class"]))
    leader = here.controllers.start(**{**chosen, **(first or {})})
    if chosen.get("leads_at_once", True):
        eventually(lambda: leads(leader))
    made = Pair(space, name, leader, here.controllers.start(**chosen))
    made.ingress()
    return made


@dataclass
class Pairs:
    new: Pair
    killed: Pair
    silenced: Pair
    silenced_watched: Watched


@pytest.fixture(scope="module")
def pairs(here: Corner) -> Iterator[Pairs]:
    """Of the first pair the Lease is new; of the second the leader was killed; of the third its API went silent."""
    new = pair(here, "new", leads_at_once=False)
    killed = pair(here, "killed")
    killed.ingress("-broken", "nowhere")
    silenced = pair(here, "silenced", first={"through": here.proxy})
    for each in (killed, silenced):
        eventually(lambda: each.space.addresses(each.name) == [{"ip": ONE}])  # noqa: B023
        each.since = now(here.space)
    eventually(lambda: here.space.events("killed-broken"))
    eventually(lambda: here.space.addresses("killed-broken"))
    killed.since = now(here.space)
    watched = Watched(silenced)
    with silenced.silence:
        killed.first.child.kill()
        killed.first.exit_status()
        silenced.silence.enter_context(here.proxy.silent())
        for each in (killed, silenced):
            each.ingress("-new")
        yield Pairs(new, killed, silenced, watched)
    watched.stop()


def leads(gateway: Controller) -> bool:
    """What its metrics say, which are a second old at most."""
    return gateway.metric("fastingress_leader") == 1


def holder(lease: Manifest) -> str:
    """Which controller holds it: what its identity begins with. Empty for none."""
    return str(lease["spec"].get("holderIdentity") or "").rpartition("-")[0]


def is_released(lease: Manifest) -> bool:
    return not holder(lease) and lease["spec"]["leaseDurationSeconds"] == 1


def test_of_two_that_race_for_a_new_lease_one_leads(pairs: Pairs) -> None:
    both = (pairs.new.first, pairs.new.second)
    eventually(lambda: sorted(map(leads, both)) == [False, True], deadline=TAKEN_OVER)
    eventually(lambda: pairs.new.space.addresses("new") == [{"ip": ONE}])
    assert sorted(map(leads, both)) == [False, True]
    assert both[0].routes() == both[1].routes()


def test_a_leader_that_is_killed_is_replaced_when_its_lease_has_run_out(pairs: Pairs) -> None:
    killed = pairs.killed
    killed.second.until_routed("killed-new.example", status=503)
    eventually(lambda: leads(killed.second), deadline=TAKEN_OVER)
    eventually(lambda: killed.space.addresses("killed-new") == [{"ip": ONE}])
    history = killed.leases()
    assert not any(is_released(each) for each in history), "it was waited for its end, and not given back"
    assert history[-1]["spec"]["leaseTransitions"] == history[0]["spec"]["leaseTransitions"] + (
        holder(history[0]) != holder(history[-1])
    )
    killed.assert_nothing_wiped()
    assert len(killed.space.events("killed-broken")) == 1, "both tell the same Event"


def test_a_leader_whose_api_is_silent_stops_to_lead_before_another_begins(pairs: Pairs) -> None:
    silenced = pairs.silenced
    eventually(lambda: leads(silenced.second) and not leads(silenced.first), deadline=TAKEN_OVER)
    pairs.silenced_watched.stop()
    assert (True, True) not in pairs.silenced_watched.seen
    assert (False, False) in pairs.silenced_watched.seen
    eventually(lambda: silenced.space.addresses("silenced-new") == [{"ip": ONE}])
    silenced.silence.close()
    silenced.first.until_routed("silenced-new.example", status=503)
    assert not leads(silenced.first)
    assert leads(silenced.second)
    silenced.assert_nothing_wiped()


def test_a_leader_that_is_told_to_stop_gives_the_lease_to_the_next(cluster: Space, controllers: Controllers) -> None:
    """It goes on to serve meanwhile. How fast it is taken shows in the Lease: no version lets it run out."""
    cluster.ingress("web", Rule("shop", host="web.example"))
    first = controllers.start(publish_status_address=ONE, shutdown_delay="120s")
    eventually(lambda: leads(first))
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])
    second = controllers.start(publish_status_address=ONE)
    before = cluster.read("Lease", "fastingress-leader")
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
    said = [each.object["status"]["loadBalancer"].get("ingress") for each in changes(cluster, "Ingress", since)]
    assert all(each in ([{"ip": ONE}], None) for each in said)
    assert cluster.addresses("web") == [{"ip": ONE}]
    assert first.get(host="web.example").status == 503, "the first one serves still"
    eventually(lambda: not leads(first))
