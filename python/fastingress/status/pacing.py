"""How fast we go: a pause for all when the server fails, growing waits for one object, and so many a second at most.

Each is told the time by its clock; only `passed` sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from fastingress.api import ApiError, Unreachable

TOO_MANY = 429
_LONGEST_PAUSE = 30.0
"""Seconds that a server may tell us to wait."""
GRAIN = 0.001
"""Seconds that are slept at least: what a rounding leaves over may be too short to move a clock."""


def grown(first: float, times: int, most: float, random: Random) -> float:
    """Seconds to wait before trying once more what failed so many times: doubled each time, with jitter."""
    return float(min(first * 2 ** min(max(times - 1, 0), 32), most) * random.uniform(0.75, 1.0))


async def passed(wait: Callable[[], float]) -> None:
    """Sleep until there is nothing left to wait for; it may become more meanwhile."""
    while (seconds := wait()) > 0:  # noqa: ASYNC110 # there is no event: time is what is waited for
        await asyncio.sleep(max(seconds, GRAIN))


class Brake:
    """Slows everything down while the server fails.

    One failing object must not hold up the others, so it is failures without any success between them that count, and
    for errors that may be one object's own the pause is short.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._streak = 0
        self._until = 0.0

    def wait(self) -> float:
        """Seconds until the next call."""
        return max(0.0, self._until - self._clock())

    def worked(self) -> None:
        """The server answered as it should."""
        self._streak = 0

    def failed(self, error: ApiError | Unreachable) -> None:
        """It did not."""
        self._streak += 1
        pause = 0.01 * 2 ** min(self._streak, 10)
        if isinstance(error, Unreachable):
            pause = min(pause, 1.0)
        elif error.status == TOO_MANY:
            pause = min(error.retry_after or max(pause, 1.0), _LONGEST_PAUSE)
        else:
            pause = min(pause, 0.1)
        self._until = max(self._until, self._clock() + pause)


class Bucket:
    """So many a second, and a burst of so many before that."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def wait(self) -> float:
        """Seconds until one may be taken."""
        self._fill()
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def take(self) -> None:
        """Take one."""
        self._fill()
        self._tokens -= 1.0

    @property
    def full(self) -> bool:
        """Whether it is as good as new."""
        self._fill()
        return self._tokens >= self._burst

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._at) * self._rate, float(self._burst))
        self._at = now
