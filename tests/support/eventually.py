"""Waiting for a condition, with a deadline. The only place in the tests that lets time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 20.0


def eventually(condition: Callable[[], T], *, deadline: float = DEADLINE, what: str = "") -> T:
    """The first true value of `condition`, which is asked again until `deadline` (seconds) has passed.

    An `AssertionError` or `OSError` of the condition counts as "not yet"; the last one is the cause of the failure.
    """
    end = time.monotonic() + deadline
    pause = 0.001
    while True:
        error: Exception | None = None
        try:
            value = condition()
        except (AssertionError, OSError) as not_yet:
            error = not_yet
        else:
            if value:
                return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {deadline} s: {what or condition}") from error
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
