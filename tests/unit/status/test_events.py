"""Problems as Events: what they say, who states them and how often, and what a storm of them costs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingress.api import JSON, MERGE, ApiError, Query, Unreachable
from fastingress.problems import ObjectRef, Origin, Problem
from fastingress.status import EventRecorder, events
from fastingress.status.event import event_name
from tests.unit.publish.virtual import run

US = "fastingress.io/ingress-controller"
HOUR = 3600.0


class EventServer:
    """Keeps Events for an hour, and checks of them what a real API server does."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[float, str, str]] = []
        self.fail: Callable[[str], Exception | None] = lambda namespace: None
        self._stated: dict[str, float] = {}

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        found = re.fullmatch(r"/apis/events.k8s.io/v1/namespaces/([^/]+)/events(?:/([^/]+))?", path)
        assert found
        assert isinstance(body, dict)
        assert method == ("PATCH" if found[2] else "POST")
        assert content_type == (MERGE if found[2] else JSON)
        now = asyncio.get_running_loop().time()
        name = found[2] or body["metadata"]["name"]
        self.calls.append((now, method, name))
        failure = self.fail(found[1])
        await asyncio.sleep(timeout if isinstance(failure, Unreachable) else 0.002)
        if failure is not None:
            raise failure
        self._forget(name, now)
        (self._patch if found[2] else self._create)(name, found[1], body)
        self._stated[name] = now
        return json.dumps(self.events[name]).encode()

    def _create(self, name: str, namespace: str, body: dict[str, Any]) -> None:
        if name in self.events:
            raise ApiError("POST", "/", 409, reason="AlreadyExists")
        assert body["metadata"]["namespace"] == namespace == body["regarding"].get("namespace", "default")
        for required in ("eventTime", "action", "reason", "type", "reportingController", "reportingInstance"):
            assert body[required]
            assert required == "eventTime" or len(body[required]) <= 128
        assert len(body["note"].encode()) <= 1024
        self.events[name] = body

    def _patch(self, name: str, namespace: str, body: dict[str, Any]) -> None:
        if name not in self.events:
            raise ApiError("PATCH", "/", 404, reason="NotFound")
        series = {**self.events[name].get("series", {}), **body["series"]}
        if series.get("count", 0) < 2:
            raise ApiError("PATCH", "/", 422, reason="Invalid", message="series.count: should be at least 2")
        self.events[name]["series"] = series

    def _forget(self, name: str, now: float) -> None:
        if name in self._stated and now - self._stated[name] > HOUR:
            del self._stated[name], self.events[name]


class Bench:
    def __init__(self, server: EventServer, instance: str = "pod-1") -> None:
        self.leading = True
        self.server = server
        self.all: list[Problem] = []
        self.recorder = EventRecorder(
            server,
            controller=US,
            instance=instance,
            leading=lambda: self.leading,
            standing=lambda: self.all,
            clock=asyncio.get_running_loop().time,
            wall=lambda: 1_700_000_000.0 + asyncio.get_running_loop().time(),
            random=Random(1),
        )

    def raised(self, problem: Problem) -> None:
        self.all.append(problem)
        self.recorder.raised(problem)

    def cleared(self, problem: Problem) -> None:
        self.all.remove(problem)
        self.recorder.cleared(problem)

    def counts(self) -> list[int]:
        return sorted(event.get("series", {}).get("count", 1) for event in self.server.events.values())


@contextlib.asynccontextmanager
async def bench(server: EventServer | None = None, instance: str = "pod-1") -> AsyncIterator[Bench]:
    made = Bench(server or EventServer(), instance)
    task = asyncio.create_task(made.recorder.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def problem(name: str = "web", message: str = "spec.rules[0]: no Service web", kind: str = "Ingress") -> Problem:
    namespace = "" if kind == "IngressClass" else "shop"
    return Problem("ServiceMissing", "warning", ObjectRef(kind, namespace, name, f"uid-of-{name}"), message)


def test_a_problem_is_an_event_on_its_object() -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(problem())
            await asyncio.sleep(1)
            (event,) = it.server.events.values()
            assert re.fullmatch(r"web\.[0-9a-f]{16}", event["metadata"].pop("name"))
            assert re.fullmatch(r"2023-11-14T22:13:20\.\d{6}Z", event.pop("eventTime"))
            assert event == {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"namespace": "shop"},
                "reportingController": US,
                "reportingInstance": "pod-1",
                "action": "Configure",
                "reason": "ServiceMissing",
                "regarding": {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "Ingress",
                    "namespace": "shop",
                    "name": "web",
                    "uid": "uid-of-web",
                },
                "note": "spec.rules[0]: no Service web",
                "type": "Warning",
            }

    run(test())


def test_events_on_what_has_no_namespace_live_in_the_default_one() -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(problem("fast", kind="IngressClass"))
            await asyncio.sleep(1)
            (event,) = it.server.events.values()
            assert event["metadata"]["namespace"] == "default"
            assert "namespace" not in event["regarding"]

    run(test())


@pytest.mark.parametrize(
    "about",
    [
        None,
        ObjectRef("Ingress", "shop", "web", ""),
        ObjectRef("Ingress", "shop", "web", "manifest/Ingress/shop/web"),
        ObjectRef("Gateway", "shop", "web", "uid"),
        ObjectRef("Ingress", "shop", "", "uid"),
    ],
)
def test_what_is_about_no_object_of_a_cluster_makes_no_event(about: ObjectRef | None) -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(Problem("X", "error", about, "m", Origin("a.yaml", 1, 0)))
            await asyncio.sleep(1)
            assert it.server.calls == []
            assert it.recorder.counters.standing == 0

    run(test())


def test_a_lasting_problem_is_never_forgotten_by_the_cluster() -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(problem())
            await asyncio.sleep(12 * HOUR)
            methods = Counter(method for _, method, _ in it.server.calls)
            assert methods["POST"] == 1
            assert 24 <= methods["PATCH"] <= 31
            assert it.counts() == [1 + methods["PATCH"]]

    run(test())


def test_a_solved_problem_is_not_repeated_and_its_return_is_said() -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(problem())
            await asyncio.sleep(60)
            it.cleared(problem())
            await asyncio.sleep(HOUR / 2)
            assert len(it.server.calls) == 1
            it.raised(problem())
            await asyncio.sleep(1)
            assert it.counts() == [2]
            it.cleared(problem())
            await asyncio.sleep(2 * HOUR)
            it.raised(problem())
            await asyncio.sleep(1)
            assert it.counts() == [1]

    run(test())


def test_a_problem_that_is_solved_at_once_is_never_said() -> None:
    async def test() -> None:
        async with bench() as it:
            it.raised(problem())
            it.cleared(problem())
            await asyncio.sleep(60)
            assert it.server.calls == []

    run(test())


def test_a_new_leader_restates_everything_and_makes_no_duplicates() -> None:
    async def test() -> None:
        server = EventServer()
        async with bench(server) as first, bench(server, "pod-2") as second:
            second.leading = False
            for number in range(20):
                first.raised(problem(f"web-{number}"))
                second.raised(problem(f"web-{number}"))
            await asyncio.sleep(4 * HOUR)
            before = first.counts()
            assert before[0] > 4
            first.leading, second.leading = False, True
            calls = len(server.calls)
            second.recorder.restate(second.all)
            await asyncio.sleep(60)
            assert len(server.events) == 20
            assert second.counts() == before, "what the server counted so far is not lost"
            assert len(server.calls) == calls + 40
            assert second.recorder.counters.events == {"repeated": 20}

    run(test())


def test_an_event_that_was_said_just_now_is_made_a_series_by_the_next_leader() -> None:
    async def test() -> None:
        server = EventServer()
        async with bench(server) as first, bench(server, "pod-2") as second:
            first.raised(problem())
            await asyncio.sleep(1)
            first.leading = False
            second.raised(problem())
            await asyncio.sleep(1)
            assert second.counts() == [2]
            assert len(server.events) == 1

    run(test())


def test_who_does_not_lead_says_nothing() -> None:
    async def test() -> None:
        async with bench() as it:
            it.leading = False
            it.raised(problem())
            await asyncio.sleep(HOUR)
            assert it.server.calls == []
            it.leading = True
            it.recorder.restate(it.all)
            await asyncio.sleep(1)
            assert it.counts() == [1]

    run(test())


def test_a_storm_is_rationed_and_who_comes_later_is_heard_first() -> None:
    async def test() -> None:
        async with bench() as it:
            for number in range(10_000):
                it.raised(problem(f"web-{number}"))
            await asyncio.sleep(30)
            assert len(it.server.calls) <= 100 + 30 * 20 + 1
            it.raised(problem("urgent"))
            await asyncio.sleep(0.5)
            assert any(name.startswith("urgent.") for name in it.server.events)
            await asyncio.sleep(600)
            assert len(it.server.events) == 10_001
            calls = len(it.server.calls)
            await asyncio.sleep(2 * HOUR)
            assert Counter(method for _, method, _ in it.server.calls[calls:])["POST"] == 0, "none was forgotten"
            assert len(it.server.calls) - calls <= 5 * 10_001

    run(test())


def test_one_object_with_many_problems_does_not_drown_the_others() -> None:
    async def test() -> None:
        async with bench() as it:
            for number in range(500):
                it.raised(problem("noisy", f"rule {number} is bad"))
            it.raised(problem("quiet"))
            await asyncio.sleep(60)
            assert any(name.startswith("quiet.") for name in it.server.events)
            assert 10 <= len(it.server.events) - 1 <= 13

    run(test())


def test_a_problem_that_comes_and_goes_all_the_time_costs_little() -> None:
    async def test() -> None:
        async with bench() as it:
            for number in range(3000):
                changing = problem(message=f"the answer was {number}")
                it.raised(changing)
                await asyncio.sleep(0.1)
                it.cleared(changing)
            assert len(it.server.calls) <= 10 + 300 / 30 + 1
            assert it.recorder.counters.standing == 0
            await asyncio.sleep(HOUR)
            assert it.recorder.counters.queued == 0

    run(test())


def test_what_is_too_much_is_counted_and_comes_when_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", 100)

    async def test() -> None:
        async with bench() as it:
            many = [problem(f"web-{number}") for number in range(150)]
            for each in many:
                it.raised(each)
            await asyncio.sleep(60)
            assert it.recorder.counters.dropped == 50
            assert it.recorder.counters.standing == len(it.server.events) == 100
            for each in many[:60]:
                it.cleared(each)
            await asyncio.sleep(60)
            assert len(it.server.events) == 150
            assert it.recorder.counters.standing == 90

    run(test())


def test_a_namespace_that_is_being_terminated_is_left_alone() -> None:
    message = 'events "x" is forbidden: unable to create new content in namespace shop because it is being terminated'

    async def test() -> None:
        async with bench() as it:
            it.server.fail = lambda namespace: ApiError("POST", "/", 403, message=message)
            it.raised(problem())
            await asyncio.sleep(10 * HOUR)
            assert len(it.server.calls) == 1
            assert it.recorder.counters.events == {"terminating": 1}

    run(test())


def test_a_missing_permission_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "fastingress.status")
    message = 'events.events.k8s.io is forbidden: User "u" cannot create resource "events" in the namespace "shop"'

    async def test() -> None:
        async with bench() as it:
            it.server.fail = lambda namespace: ApiError("POST", "/", 403, message=message)
            for number in range(100):
                it.raised(problem(f"web-{number}"))
            await asyncio.sleep(300)
            assert len(it.server.calls) <= 12
            it.server.fail = lambda namespace: None
            await asyncio.sleep(60)
            assert len(it.server.events) == 100

    run(test())
    named = [said for said in caplog.messages if said.startswith("cannot")]
    assert named == [f"cannot create or patch events (events.k8s.io) in the namespace shop: {message}"]


@pytest.mark.parametrize(
    "failure", [ApiError("POST", "/", 500), ApiError("POST", "/", 429, retry_after=3.0), Unreachable("refused")]
)
def test_a_server_that_fails_is_spared_and_its_return_is_noticed(failure: Exception) -> None:
    async def test() -> None:
        async with bench() as it:
            it.server.fail = lambda namespace: failure
            for number in range(200):
                it.raised(problem(f"web-{number}"))
            await asyncio.sleep(120)
            assert len(it.server.calls) <= 120 * 20
            it.server.fail = lambda namespace: None
            await asyncio.sleep(330)
            assert len(it.server.events) == 200

    run(test())


def test_what_is_refused_is_said_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bench() as it:
            it.server.fail = lambda namespace: ApiError("POST", "/", 400, message="no")
            it.raised(problem())
            await asyncio.sleep(HOUR)
            assert len(it.server.calls) == 1

    run(test())
    assert len([said for said in caplog.messages if "is refused" in said]) == 1


def test_memory_of_objects_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", 50)

    async def test() -> None:
        async with bench() as it:
            for number in range(2000):
                each = problem(f"web-{number}")
                it.raised(each)
                await asyncio.sleep(2)
                it.cleared(each)
            assert len(it.recorder._buckets) <= 51

    run(test())


names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)


@given(names, st.text(max_size=2000), st.text(max_size=10))
def test_the_name_of_an_event_is_a_name(name: str, message: str, uid: str) -> None:
    about = ObjectRef("Ingress", "shop", name, "u" + uid.replace("/", ""))
    made = event_name(Problem("X", "error", about, message), US)
    assert len(made) <= 253
    assert re.fullmatch(r"[a-z0-9][-a-z0-9.]*\.[0-9a-f]{16}", made)
    assert ".." not in made or ".." in name
    assert made == event_name(Problem("X", "error", about, message), US)
    assert made != event_name(Problem("X", "error", about, message + "!"), "other.io/controller")
