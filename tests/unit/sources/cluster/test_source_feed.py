"""What a feed makes of what its reflector says, and what the outbox keeps for a consumer that is slow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastingress.objects import ObjectKey
from fastingress.problems import Problem
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.identity import Identity, Loaded
from fastingress.sources.cluster.kinds import row_for
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.reflector import Reflector
from fastingress.sources.cluster.transport import Connection
from fastingress.sources.cluster.trouble import Trouble
from fastingress.sources.cluster.wire import version_of
from fastingress.store import Delete, Upsert

OPTIONS = ClusterOptions()


class Here:
    """A feed of Services, told what its reflector sees."""

    def __init__(self, kind: str = "Service", **more: Any) -> None:
        self.now = 0.0
        self.outbox = Outbox(lambda: self.now)
        self.feed = Feed(row_for(kind, OPTIONS), "", self.outbox, **more)
        connection = Connection(None, Loaded(Identity("http://nowhere"), 1.0))  # type: ignore[arg-type]
        self.reflector = Reflector(connection.lane("none"), self.feed.collection, self.feed)

    def listed(self, *items: bytes) -> None:
        """A whole list."""
        self.feed.began(self.reflector)
        for item in items:
            self.feed.item(item, version_of(item))
        self.feed.synced(self.reflector)

    def trouble(self, state: Any, status: int = 0, verb: str = "watch") -> None:
        self.feed.trouble(self.reflector, Trouble(state, verb, "services", "", f"{state} {status}", status))

    def settled(self) -> bool:
        return self.feed.settled

    def changes(self) -> dict[str, int | None]:
        """The port by name of what came since the last time; None for what went."""
        found: dict[str, int | None] = {}
        for change in self.outbox.take(settled=True).changes:
            if isinstance(change, Delete):
                found[change.key.name] = None
            elif isinstance(change, Upsert):
                found[change.object.metadata.name] = change.object.spec.ports[0].port  # type: ignore[attr-defined]
        return found

    def problems(self) -> dict[str, list[str]]:
        found = self.outbox.take(settled=True).problems
        return {part: [problem.code for problem in stated] for part, stated in found.items()}


def service(name: str, port: object, version: int = 1) -> bytes:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)}
    return json.dumps({"metadata": metadata, "spec": {"ports": [{"port": port}]}}).encode()


def test_after_a_new_list_only_what_differs_is_news() -> None:
    here = Here()
    here.listed(service("a", 1), service("b", 2), service("c", 3))
    assert here.changes() == {"a": 1, "b": 2, "c": 3}
    here.listed(service("a", 1), service("b", 20, version=2), service("d", 4))
    assert here.changes() == {"b": 20, "c": None, "d": 4}
    here.listed()
    assert here.changes() == {"a": None, "b": None, "d": None}
    assert len(here.feed) == 0


def test_a_list_that_begins_anew_forgets_nothing() -> None:
    here = Here()
    here.listed(service("a", 1), service("b", 2))
    here.changes()
    here.feed.began(here.reflector)
    here.feed.item(service("b", 2), "1")
    here.listed(service("a", 1), service("b", 2))
    assert here.changes() == {}


def test_an_object_without_a_readable_name_is_one_problem_and_takes_no_other_away() -> None:
    here = Here()
    here.listed(service("a", 1), service("b", 2))
    here.changes()
    here.listed(service("a", 1), b'{"metadata": 7}')
    assert here.problems() == {"services": ["InvalidObject"]}
    assert here.changes() == {}
    here.listed(service("a", 1))
    assert here.problems() == {"services": []}
    assert len(here.feed) == 1


def test_a_refused_object_is_gone_only_when_it_is_deleted() -> None:
    here = Here()
    here.listed(service("a", 1))
    here.changes()
    here.feed.item(service("a", "one", version=2), "2")
    assert here.problems() == {"services shop/a": ["InvalidField"]}
    here.listed(service("a", "one", version=2))
    assert here.changes() == {}
    here.feed.gone(service("a", "one", version=3))
    batch = here.outbox.take(settled=True)
    assert batch.changes == [Delete(ObjectKey("Service", "shop", "a"))]
    assert batch.problems == {"services shop/a": []}


def test_what_is_said_after_the_end_does_not_count() -> None:
    here = Here(keep=lambda key: key.name == "b")
    here.listed(service("a", 1), service("b", 2))
    here.trouble("failing", 500)
    here.changes()
    here.feed.end()
    batch = here.outbox.take(settled=True)
    assert (batch.changes, batch.problems) == ([Delete(ObjectKey("Service", "shop", "a"))], {"services": []})
    here.feed.item(service("a", 1), "1")
    here.feed.gone(service("b", 1))
    here.trouble("failing", 500)
    here.listed(service("c", 1))
    assert not here.outbox


@pytest.mark.parametrize(
    ("kind", "state", "status", "settled", "codes"),
    [
        ("Service", "denied", 403, False, ["AccessDenied"]),
        ("IngressClass", "denied", 403, True, ["AccessDenied"]),
        ("IngressClass", "failing", 404, True, ["NotFollowed"]),
        ("IngressClass", "denied", 401, False, ["NotFollowed"]),
        ("IngressClass", "failing", 500, False, ["NotFollowed"]),
        ("IngressClass", "unreachable", 0, False, None),
    ],
)
def test_which_troubles_hold_the_start_up(
    kind: str, state: str, status: int, settled: bool, codes: list[str] | None
) -> None:
    here = Here(kind)
    assert not here.settled()
    assert here.feed.reason().endswith(": not listed yet")
    here.trouble(state, status)
    assert here.settled() == settled
    assert here.problems() == ({here.feed.part: codes} if codes else {})
    assert here.feed.reason()
    here.feed.trouble(here.reflector, None)
    here.listed()
    assert here.settled()
    assert here.problems() == ({here.feed.part: []} if codes else {})


def test_a_denial_names_all_verbs_that_are_missing_once_they_are_known() -> None:
    here = Here()
    here.trouble("denied", 403, verb="list")
    assert here.feed.reason() == "cannot list services in all namespaces: needed always"
    here.feed.lacks(("list", "watch"))
    assert here.feed.reason() == "cannot list, watch services in all namespaces: needed always"


def test_a_slow_consumer_costs_one_change_for_each_object() -> None:
    here = Here()
    here.listed()
    for round_ in range(1000):
        here.now = float(round_)
        here.feed.item(service("a", round_ + 1), str(round_))
        here.feed.item(service("b", round_ + 1), str(round_))
    here.feed.gone(service("b", 1))
    assert len(here.outbox) == 2
    batch = here.outbox.take(settled=True)
    assert batch.received == 0.0, "the oldest"
    assert here.outbox.newest == 999.0
    assert [type(change) for change in batch.changes] == [Upsert, Delete]
    after = here.outbox.take(settled=True)
    assert (after.changes, after.problems, after.received) == ([], {}, None)


def test_a_part_is_stated_only_when_it_changes() -> None:
    outbox = Outbox(lambda: 0.0)
    problem = Problem("AccessDenied", "error", None, "cannot")
    outbox.state("services")
    assert not outbox
    outbox.state("services", [problem])
    assert outbox.take(settled=True).problems == {"services": [problem]}
    outbox.state("services", [problem])
    assert not outbox
    outbox.state("services")
    outbox.state("services", [problem])
    assert outbox.take(settled=True).problems == {"services": [problem]}
    outbox.state("services")
    assert outbox.take(settled=True).problems == {"services": []}
