"""How long to wait before the next try: longer each time, up to a bound, and never the same for two who wait.

Half of each wait is certain, the other half is left to chance, so that many who lost one server do not return together.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST = 0.1
_FACTOR = 2.0


class Backoff:
    """The waits of one who tries again. `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float], *, first: float = FIRST) -> None:
        self._random = random
        self._first = first
        self._next = first

    def wait(self, most: float) -> float:
        """Seconds to wait now, at most `most`; the next answer is larger."""
        chosen = min(self._next, most)
        self._next = min(self._next * _FACTOR, 1e6)
        return chosen * (0.5 + 0.5 * self._random())

    def reset(self) -> None:
        """It worked: the next failure waits shortly."""
        self._next = self._first
