"""When a batch is taken from the outbox: once a burst is over, so that what follows is done once for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from fastingress.objects import ObjectKey
from fastingress.sources.cluster.outbox import Outbox
from tests.unit.publish.virtual import run


def taken(arrivals: Sequence[float], batches: int) -> list[tuple[float, int]]:
    """When batches are taken and how many changes are in each, if changes arrive at these times."""
    found: list[tuple[float, int]] = []

    async def test() -> None:
        loop = asyncio.get_running_loop()
        outbox = Outbox(loop.time)
        for number, at in enumerate(arrivals):
            loop.call_at(at, outbox.delete, ObjectKey("Service", "default", str(number)))
        for _ in range(batches):
            await outbox.burst()
            found.append((round(loop.time(), 6), len(outbox.take(settled=True).changes)))

    run(test())
    return found


def test_a_lone_change_is_taken_after_a_quiet_moment() -> None:
    assert taken([0.5], 1) == [(0.503, 1)]


def test_a_burst_is_one_batch() -> None:
    assert taken([0.0, 0.001, 0.002], 1) == [(0.009, 3)]


def test_changes_that_never_pause_are_taken_after_20_ms_all_the_same() -> None:
    batches = taken([0.0021 * number for number in range(100)], 3)
    assert [count for _, count in batches] == [10, 10, 10]
    assert batches[0][0] == 0.02


def test_what_came_while_the_last_batch_was_dealt_with_is_a_burst_as_well() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        outbox = Outbox(loop.time)
        outbox.delete(ObjectKey("Service", "default", "a"))
        await asyncio.sleep(1.0)
        loop.call_later(0.002, outbox.delete, ObjectKey("Service", "default", "b"))
        await outbox.burst()
        assert len(outbox.take(settled=True).changes) == 2
        assert loop.time() == pytest.approx(1.009)

    run(test())


def test_a_part_that_settles_is_not_news_by_itself() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        outbox = Outbox(loop.time)
        outbox.stirred()
        loop.call_later(5.0, outbox.delete, ObjectKey("Service", "default", "a"))
        await outbox.burst()
        assert loop.time() == pytest.approx(5.003)

    run(test())
