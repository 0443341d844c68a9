"""The publishing loop: single flight, latest wins, and what happens when an apply fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from fastingress.model import Key
from fastingress.problems import Problem
from fastingress.publish import Outcome, ProblemBook, Publisher, Refusals
from fastingress.store import Store
from tests.unit.publish.virtual import FakeCore, Gate, run, running

A: Key = ("fragment", "a.example.com/1")
B: Key = ("fragment", "b.example.com/2")
C: Key = ("endpoints", "default/c:80")


class Bench:
    """A publisher with everything around it faked."""

    def __init__(self, *, seconds: float = 0.0, resync: Callable[[], Mapping[Key, bytes]] | None = None) -> None:
        self.core = FakeCore()
        self.gate = Gate(seconds)
        self.raised: list[Problem] = []
        self.cleared: list[Problem] = []
        self.book = ProblemBook(raised=self.raised.append, cleared=self.cleared.append)
        refusals = Refusals(Store().view(), lambda key: ())
        self.outcomes: list[Outcome] = []
        self.publisher = Publisher(
            self.core, self.book, refusals, resync=resync, published=self.outcomes.append, off_loop=self.gate
        )

    def codes(self) -> list[str]:
        return [problem.code for problem in self.book.problems()]


def test_what_is_submitted_before_the_loop_runs_is_one_swap() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            for number in range(10):
                bench.publisher.submit({A: b"%d" % number, ("fragment", str(number)): b"x"}, ())
            await bench.publisher.settle()
        assert len(bench.core.change_sets) == 1
        assert bench.core.state[A] == b"9"
        assert len(bench.core.state) == 11

    run(test())


def test_a_lone_edit_is_published_at_once() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await bench.publisher.settle()
        assert bench.gate.started == [0.0]

    run(test())


def test_an_outcome_tells_how_long_the_first_of_its_edits_waited() -> None:
    async def test() -> None:
        bench = Bench(seconds=1.0)
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await asyncio.sleep(0.4)
            bench.publisher.submit({B: b"1"}, ())
            await asyncio.sleep(0.2)
            bench.publisher.submit({A: b"2"}, ())
            await bench.publisher.settle()
        waits = [outcome.since_submitted for outcome in bench.outcomes]
        assert waits == [pytest.approx(1.0), pytest.approx(1.6)]

    run(test())


def test_one_apply_at_a_time_and_what_came_meanwhile_is_the_next_one() -> None:
    async def test() -> None:
        bench = Bench(seconds=1.0)
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1", B: b"1"}, ())
            await asyncio.sleep(0.1)
            for number in range(2, 6):
                bench.publisher.submit({A: b"%d" % number}, ())
                await asyncio.sleep(0.1)
            bench.publisher.submit({}, [B])
            await bench.publisher.settle()
        assert bench.gate.most_at_once == 1
        assert bench.core.change_sets == [
            {"full": False, "upserts": {A: b"1", B: b"1"}, "removals": set()},
            {"full": False, "upserts": {A: b"5"}, "removals": {B}},
        ]

    run(test())


def test_only_keys_whose_values_differ_are_sent() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1", B: b"1"}, ())
            await bench.publisher.settle()
            bench.publisher.submit({A: b"1", B: b"2"}, [C])
            await bench.publisher.settle()
        assert bench.core.change_sets[1:] == [{"full": False, "upserts": {B: b"2"}, "removals": set()}]

    run(test())


def test_an_edit_that_is_taken_back_before_it_is_sent_sends_nothing() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await bench.publisher.settle()
            bench.publisher.submit({A: b"2"}, ())
            bench.publisher.submit({A: b"1"}, ())
            bench.publisher.submit({B: b"1"}, ())
            bench.publisher.submit({}, [B])
            await bench.publisher.settle()
        assert len(bench.core.change_sets) == 1
        assert bench.publisher.applies == 1

    run(test())


def test_a_failed_apply_is_a_problem_and_keeps_the_last_good() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await bench.publisher.settle()
            bench.core.refuse = [ValueError("no such version")]
            bench.publisher.submit({A: b"2", B: b"2"}, ())
            await bench.publisher.settle()
            assert bench.core.state == {A: b"1"}
            assert bench.codes() == ["ApplyFailed"]
            assert "no such version" in bench.raised[0].message

            bench.publisher.submit({A: b"3"}, ())
            await bench.publisher.settle()
            assert bench.core.state == {A: b"3", B: b"2"}
            assert bench.codes() == []
            assert [problem.code for problem in bench.cleared] == ["ApplyFailed"]

    run(test())


def test_a_failed_apply_is_tried_again_by_itself_at_growing_intervals() -> None:
    async def test() -> None:
        bench = Bench()
        bench.core.refuse = [RuntimeError("no") for _ in range(4)]
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await asyncio.sleep(8)
        gaps = [later - earlier for earlier, later in zip(bench.gate.started, bench.gate.started[1:], strict=False)]
        assert gaps == [pytest.approx(seconds, abs=0.01) for seconds in (0.5, 1.0, 2.0, 4.0)]
        assert bench.core.state == {A: b"1"}
        assert bench.codes() == []
        assert len(bench.raised) == 1

    run(test())


def test_when_the_two_sides_disagree_everything_is_sent_once_more() -> None:
    async def test() -> None:
        bench = Bench(resync=lambda: {A: b"1", B: b"1"})
        bench.core.state[C] = b"left over"
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1", B: b"1"}, ())
            await bench.publisher.settle()
            await bench.publisher.settle()
        assert [change["full"] for change in bench.core.change_sets] == [False, True]
        assert bench.core.state == {A: b"1", B: b"1"}
        assert [problem.code for problem in bench.cleared] == ["DigestMismatch"]

    run(test())


def test_a_disagreement_that_stays_is_a_problem_and_not_a_loop() -> None:
    async def test() -> None:
        bench = Bench(resync=lambda: {A: b"1"})
        bench.core.lie = 100
        async with running(bench.publisher):
            bench.publisher.submit({A: b"1"}, ())
            await bench.publisher.settle()
            await asyncio.sleep(60)
        assert len(bench.core.change_sets) == 2
        assert bench.codes() == ["DigestMismatch"]

    run(test())


def test_the_digest_is_the_same_whichever_way_the_state_came_about() -> None:
    async def test() -> None:
        one, other = Bench(), Bench()
        async with running(one.publisher), running(other.publisher):
            one.publisher.submit({A: b"1", B: b"2"}, ())
            await one.publisher.settle()
            for upserts, removals in (({C: b"x", A: b"0"}, ()), ({B: b"2"}, [C]), ({A: b"1"}, ())):
                other.publisher.submit(upserts, removals)
                await other.publisher.settle()
        assert one.publisher.digest() == other.publisher.digest() != "0" * 32

    run(test())


def test_waiting_for_nothing_ends_at_once() -> None:
    async def test() -> None:
        bench = Bench()
        async with running(bench.publisher):
            await bench.publisher.settle()
        assert bench.gate.started == []

    run(test())
