"""When a burst of changes has gone on long enough: after a quiet moment, or after a while at the latest.

Pure: it is told the time. All times are seconds of one monotonic clock.
"""

from __future__ import annotations


class Debounce:
    """Remembers when a burst began and when it last grew."""

    def __init__(self, *, quiet: float, longest: float) -> None:
        self._quiet = quiet
        self._longest = longest
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        """Something was added."""
        if self._first is None:
            self._first = now
        self._last = now

    def reset(self) -> None:
        """What there was has been taken."""
        self._first = None

    def wait(self, now: float) -> float:
        """Seconds until the burst may be taken; 0 when it may be now, or when there is none."""
        if self._first is None:
            return 0.0
        return max(0.0, min(self._last + self._quiet, self._first + self._longest) - now)
