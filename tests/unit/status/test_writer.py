"""The status of Ingresses: what is written, by whom and how often, and what is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.api import ApiError, Unreachable
from fastingress.objects import LoadBalancerIngress, ObjectKey
from fastingress.problems import Problem
from fastingress.status import StatusWriter
from tests.unit.publish.virtual import run
from tests.unit.status.cluster import US, Addresses, Cluster

OURS: Addresses = (LoadBalancerIngress(ip="192.0.2.1"), LoadBalancerIngress(ip="192.0.2.2"))
OTHERS: Addresses = (LoadBalancerIngress(ip="203.0.113.7"),)
NGINX = "nginx-ingress-controller"


class Bench:
    """A writer, and the cluster it writes to."""

    def __init__(self) -> None:
        self.leading = True
        self.addresses = OURS
        self.scopes: dict[str, list[Problem]] = {}
        self.cluster = Cluster(lambda keys: self.writer.note(keys))
        self.writer = StatusWriter(
            self.cluster,
            self.cluster.store.view(),
            manager=US,
            leading=lambda: self.leading,
            ours=self._ours,
            addresses=lambda: self.addresses,
            problems=self._state,
            clock=asyncio.get_running_loop().time,
            random=Random(1),
        )

    def _ours(self, namespace: str, name: str) -> bool:
        ingress = self.cluster.store.view().get("Ingress", namespace, name)
        assert ingress is not None
        return ingress.spec.ingress_class_name == "fast"

    def _state(self, scopes: Mapping[str, Iterable[Problem]]) -> None:
        for scope, problems in scopes.items():
            self.scopes[scope] = list(problems)

    def problems(self) -> list[Problem]:
        return [problem for problems in self.scopes.values() for problem in problems]

    def writes(self, key: ObjectKey) -> list[float]:
        return [request.at for request in self.cluster.requests if request.key == key]


@contextlib.asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    task = asyncio.create_task(made.writer.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_ours_get_the_addresses_once_and_others_nothing() -> None:
    async def test() -> None:
        async with bench() as it:
            ours, other = it.cluster.create("ours"), it.cluster.create("other", "traefik")
            await asyncio.sleep(60)
            it.writer.note_all()
            await asyncio.sleep(60)
            assert it.cluster.addresses(ours) == OURS
            assert it.cluster.addresses(other) == ()
            assert [request.key for request in it.cluster.requests] == [ours]
            assert it.writer.counters.writes == {"written": 1}
            assert it.writer.counters.queued == 0

    run(test())


def test_only_the_leader_writes() -> None:
    async def test() -> None:
        async with bench() as it:
            it.leading = False
            key = it.cluster.create("ours")
            await asyncio.sleep(60)
            assert it.cluster.requests == []
            it.leading = True
            it.writer.note_all()
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == OURS

    run(test())


def test_leadership_is_asked_before_every_write() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.latency = 1.0
            for number in range(100):
                it.cluster.create(f"ours-{number}")
            await asyncio.sleep(1.5)
            it.leading = False
            started = len(it.cluster.requests)
            await asyncio.sleep(60)
            assert len(it.cluster.requests) == started <= 32

    run(test())


def test_new_addresses_reach_all_and_not_more_than_sixteen_at_once() -> None:
    async def test() -> None:
        async with bench() as it:
            keys = [it.cluster.create(f"ours-{number}") for number in range(200)]
            await asyncio.sleep(5)
            it.addresses = OTHERS
            it.writer.note_all()
            await asyncio.sleep(5)
            assert {it.cluster.addresses(key) for key in keys} == {OTHERS}
            assert it.cluster.most_under_way == 16
            assert len(it.cluster.requests) == 400

    run(test())


def test_unknown_addresses_never_replace_known_ones() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            await asyncio.sleep(1)
            it.addresses = ()
            it.writer.note_all()
            await asyncio.sleep(60)
            assert it.cluster.addresses(key) == OURS
            assert len(it.cluster.requests) == 1

    run(test())


def test_what_someone_wrote_in_another_order_is_not_written_again() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            it.cluster.update_status(key, NGINX, OURS[::-1])
            await asyncio.sleep(60)
            assert it.cluster.requests == []

    run(test())


def test_who_leaves_the_class_loses_our_addresses() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            await asyncio.sleep(1)
            it.cluster.set_class(key, "other")
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == ()
            assert it.cluster.owners(key) == set()
            assert it.writer.counters.writes == {"written": 1, "withdrawn": 1}

    run(test())


def test_who_leaves_the_class_keeps_what_another_owns_too() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            await asyncio.sleep(1)
            it.cluster.owners(key).add("other.io/controller")
            it.cluster.set_class(key, "other")
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == OURS
            assert it.cluster.owners(key) == {"other.io/controller"}

    run(test())


def test_an_orphan_of_an_earlier_run_is_cleared() -> None:
    async def test() -> None:
        async with bench() as it:
            it.leading = False
            key = it.cluster.create("orphan", "other")
            it.cluster.update_status(key, US, OURS)
            await asyncio.sleep(1)
            it.leading = True
            it.writer.note_all()
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == ()

    run(test())


def test_nothing_is_written_at_the_end() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            await asyncio.sleep(1)
        requests = len(it.cluster.requests)
        await asyncio.sleep(60)
        assert len(it.cluster.requests) == requests == 1
        assert it.cluster.addresses(key) == OURS

    run(test())


def test_a_conflict_names_the_owner_and_ends_with_it() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            it.cluster.update_status(key, NGINX, OTHERS)
            await asyncio.sleep(3600)
            assert it.cluster.addresses(key) == OTHERS
            assert len(it.cluster.requests) == 1
            assert it.writer.counters.conflicts == 1
            (problem,) = it.problems()
            assert (problem.code, problem.severity) == ("StatusConflict", "warning")
            assert NGINX in problem.message
            assert "kubectl patch ingress ours -n shop --subresource=status" in problem.message
            it.cluster.update_status(key, NGINX, ())
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == OURS
            assert it.problems() == []
            assert it.writer.counters.conflicts == 0

    run(test())


def test_an_owner_that_goes_soon_is_followed_at_once() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            it.cluster.update_status(key, NGINX, OTHERS)
            await asyncio.sleep(1)
            it.cluster.update_status(key, NGINX, ())
            await asyncio.sleep(0.1)
            assert it.cluster.addresses(key) == OURS

    run(test())


def test_what_was_wrong_with_an_ingress_says_nothing_of_the_next_one_of_its_name() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: ApiError("PATCH", "/", 400, message="no")
            key = it.cluster.create("ours")
            await asyncio.sleep(100)
            it.cluster.fail = lambda key: None
            it.cluster.lag = 0.0
            it.cluster.delete(key)
            it.cluster.create("ours")
            await asyncio.sleep(0.1)
            assert it.cluster.addresses(key) == OURS
            assert it.problems() == []

    run(test())


def test_a_conflict_that_the_store_does_not_show_is_tried_again_ever_more_slowly() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: ApiError(
                "PATCH", "/", 409, reason="Conflict", conflicts=['conflict with "someone" with subresource "status"']
            )
            key = it.cluster.create("ours")
            await asyncio.sleep(3600)
            assert 5 <= len(it.writes(key)) <= 20
            assert len(it.problems()) == 1

    run(test())


def test_a_conflict_that_is_no_longer_ours_is_no_problem() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            it.cluster.update_status(key, NGINX, OTHERS)
            await asyncio.sleep(10)
            it.cluster.set_class(key, "other")
            await asyncio.sleep(10)
            assert it.problems() == []
            assert it.cluster.addresses(key) == OTHERS

    run(test())


def test_who_no_longer_leads_states_no_problem() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.update_status(it.cluster.create("ours"), NGINX, OTHERS)
            await asyncio.sleep(10)
            assert len(it.problems()) == 1
            it.leading = False
            it.writer.note_all()
            await asyncio.sleep(10)
            assert it.problems() == []

    run(test())


def test_a_fight_is_damped_and_a_single_change_is_made_good_at_once() -> None:
    async def test() -> None:
        async with bench() as it:
            key = it.cluster.create("ours")
            await asyncio.sleep(100)
            it.cluster.update_status(key, NGINX, ())
            await asyncio.sleep(0.1)
            assert it.cluster.addresses(key) == OURS

            began, writes = now(), len(it.writes(key))
            while now() - began < 3600:
                if it.cluster.addresses(key) == OURS:
                    it.cluster.update_status(key, NGINX, ())
                await asyncio.sleep(0.05)
            assert 10 <= len(it.writes(key)) - writes <= 25

    run(test())


def test_a_late_echo_is_no_foreign_change() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.lag = 5.0
            key = it.cluster.create("ours")
            for _ in range(120):
                await asyncio.sleep(0.1)
                it.writer.note([key])
            assert len(it.writes(key)) == 1

    run(test())


def test_an_object_that_is_gone_or_was_made_anew_is_dropped() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.lag = 3.0
            key = it.cluster.create("ours")
            await asyncio.sleep(2.99)
            it.cluster.delete(key)
            await asyncio.sleep(1)
            it.cluster.create("ours")
            it.writer.note([key])
            await asyncio.sleep(10)
            assert it.writer.counters.writes == {"gone": 2, "written": 1}
            assert it.cluster.addresses(key) == OURS

    run(test())


def test_a_missing_permission_is_named_once_and_costs_one_call_each_half_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "fastingress.status")
    denied = 'ingresses "x" is forbidden: User "u" cannot patch resource "ingresses/status" in the namespace "shop"'

    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: (
                ApiError("PATCH", "/", 403, message=denied) if key.namespace == "shop" else None
            )
            for number in range(300):
                it.cluster.create(f"ours-{number}")
            free = it.cluster.create("free", namespace="blog")
            await asyncio.sleep(300)
            assert it.cluster.addresses(free) == OURS
            assert len(it.cluster.requests) <= 16 + 10 + 1
            it.cluster.fail = lambda key: None
            await asyncio.sleep(60)
            assert {it.cluster.addresses(key) for key in it.cluster.everyone()} == {OURS}

    run(test())
    named = [message for message in caplog.messages if message.startswith("cannot")]
    assert named == [f"cannot patch ingresses/status (networking.k8s.io) in the namespace shop: {denied}"]


def test_what_is_wrong_with_one_ingress_is_a_problem_of_it_alone() -> None:
    async def test() -> None:
        async with bench() as it:
            webhook = 'admission webhook "policy.example.com" denied the request: no'
            it.cluster.fail = lambda key: ApiError("PATCH", "/", 403, message=webhook) if key.name == "bad" else None
            bad, good = it.cluster.create("bad"), it.cluster.create("good")
            await asyncio.sleep(600)
            assert it.cluster.addresses(good) == OURS
            assert [(problem.code, problem.object and problem.object.name) for problem in it.problems()] == [
                ("StatusRefused", "bad")
            ]
            assert len(it.writes(bad)) <= 10

    run(test())


@pytest.mark.parametrize("failure", [ApiError("PATCH", "/", 500), Unreachable("timed out")])
def test_some_that_fail_do_not_hold_up_the_others(failure: Exception) -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: failure if key.name.startswith("bad") else None
            for number in range(10):
                it.cluster.create(f"bad-{number}")
            await asyncio.sleep(1)
            good = [it.cluster.create(f"good-{number}") for number in range(500)]
            await asyncio.sleep(20)
            assert {it.cluster.addresses(key) for key in good} == {OURS}
            it.cluster.fail = lambda key: None
            await asyncio.sleep(61)
            assert {it.cluster.addresses(key) for key in it.cluster.everyone()} == {OURS}

    run(test())


def test_a_server_that_fails_is_not_flooded_and_its_return_is_noticed() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: ApiError("PATCH", "/", 503)
            for number in range(2000):
                it.cluster.create(f"ours-{number}")
            await asyncio.sleep(30)
            assert len(it.cluster.requests) < 30 * 200
            it.cluster.fail = lambda key: None
            await asyncio.sleep(61)
            assert {it.cluster.addresses(key) for key in it.cluster.everyone()} == {OURS}

    run(test())


def test_a_server_that_is_busy_says_how_long_to_wait() -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.fail = lambda key: ApiError("PATCH", "/", 429, retry_after=5.0)
            for number in range(100):
                it.cluster.create(f"ours-{number}")
            await asyncio.sleep(21)
            assert len(it.cluster.requests) <= 5 * 16
            it.cluster.fail = lambda key: None
            await asyncio.sleep(30)
            assert {it.cluster.addresses(key) for key in it.cluster.everyone()} == {OURS}

    run(test())


def test_a_defect_in_one_look_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with bench() as it:
            it.writer.note([ObjectKey("Ingress", "shop", "nowhere")])
            it.addresses = None  # type: ignore[assignment]
            it.cluster.create("ours")
            await asyncio.sleep(1)
            it.addresses = OURS
            key = it.cluster.create("next")
            await asyncio.sleep(1)
            assert it.cluster.addresses(key) == OURS

    run(test())
    assert "could not be worked out" in caplog.text


steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "class", "delete", "nginx", "nobody", "fail", "heal", "lead", "follow", "address"]),
        st.integers(0, 4),
        st.sampled_from([0.0, 0.006, 0.02, 1.0, 15.0]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=steps, lag=st.sampled_from([0.0, 0.005, 0.5]))
def test_any_history_ends_in_the_right_status(steps: list[tuple[str, int, float]], lag: float) -> None:
    async def test() -> None:
        async with bench() as it:
            it.cluster.lag = lag
            for what, which, seconds in steps:
                step(it, what, which)
                await asyncio.sleep(seconds)
            it.cluster.fail = lambda key: None
            it.leading = True
            it.writer.note_all()
            await asyncio.sleep(1000)
            for key in it.cluster.everyone():
                assert_right(it, key)

    run(test())


def step(it: Bench, what: str, which: int) -> None:
    key = ObjectKey("Ingress", "shop", f"i{which}")
    there = key in it.cluster.everyone()
    if what == "create" and not there:
        it.cluster.create(key.name)
    elif what == "class" and there:
        it.cluster.set_class(key, "other" if it.cluster.class_of(key) == "fast" else "fast")
    elif what == "delete":
        it.cluster.delete(key)
    elif what in ("nginx", "nobody") and there:
        it.cluster.update_status(key, NGINX, OTHERS if what == "nginx" else ())
    elif what == "fail":
        failures = [
            ApiError("PATCH", "/", 500),
            Unreachable("x"),
            ApiError("PATCH", "/", 409),
            ApiError("PATCH", "/", 429),
        ]
        it.cluster.fail = lambda key: failures[which % 4]
    elif what == "heal":
        it.cluster.fail = lambda key: None
    elif what in ("lead", "follow"):
        it.leading = what == "lead"
        it.writer.note_all()
    elif what == "address":
        it.addresses = (LoadBalancerIngress(ip=f"192.0.2.{which}"),)
        it.writer.note_all()


def assert_right(it: Bench, key: ObjectKey) -> None:
    owners, addresses = it.cluster.owners(key), it.cluster.addresses(key)
    if it.cluster.class_of(key) != "fast":
        assert US not in owners
        assert addresses == (OTHERS if owners == {NGINX} else ())
    elif NGINX in owners:
        assert addresses == OTHERS
        assert [problem.code for problem in it.scopes[f"status/{key.namespace}/{key.name}"]] == ["StatusConflict"]
    else:
        assert (owners, addresses) == ({US}, it.addresses)
