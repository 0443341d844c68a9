"""The end of tasks, also of those that do not hear it at first."""

from __future__ import annotations

import asyncio

from fastingress import tasks
from tests.unit.publish.virtual import run


def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    async def deaf(times: int) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not times:
                    raise
                times -= 1

    async def failing() -> None:
        raise ValueError

    async def test() -> None:
        made = [asyncio.ensure_future(work) for work in (deaf(0), deaf(1), deaf(3), failing())]
        await asyncio.sleep(0)
        await tasks.end(made)
        assert all(task.done() for task in made)
        await tasks.end(made)

    run(test())
