"""The end of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN = 0.5
"""Seconds after which a task that has not ended is told once more."""


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels them and waits until all have ended; what they end with is not raised.

    A cancellation can be lost, when what the task waits for ends at the same moment; so it is repeated.
    """
    all_of_them = list(tasks)
    left = {task for task in all_of_them if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
    for task in all_of_them:
        if not task.cancelled():
            task.exception()  # taken note of: nobody else does
