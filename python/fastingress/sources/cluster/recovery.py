"""What a failed list or watch means for the next one: whether the version still serves, and how long to wait.

A server that is unwell is asked again from where we were. Only one that says, or shows, that it does not know that
place makes us list again.
"""

from __future__ import annotations

from collections.abc import Callable

from fastingress.api import FORBIDDEN, GONE, ApiError
from fastingress.sources.cluster.backoff import Backoff
from fastingress.sources.cluster.timing import Timing
from fastingress.sources.cluster.transport import Refused
from fastingress.sources.cluster.wire import Garbage

UNSUITED = (400, 422)
"""What a server answers that does not know a parameter, or does not take it."""
_VERSION_TOO_NEW = 504


class Recovery:
    """Of one reflector."""

    def __init__(self, timing: Timing, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._timing = timing
        self._clock = clock
        self._random = random
        self._backoff = Backoff(random)
        self._list_backoff = Backoff(random)
        self._listed = float("-inf")
        self._stuck_since: float | None = None

    def works(self) -> None:
        """It gets on: the next failure is a first one."""
        self._backoff.reset()
        self._stuck_since = None

    def listed(self) -> None:
        """A list is complete."""
        self._listed = self._clock()

    def must_list(self, failure: Exception, *, in_stream: bool) -> str:
        """Why the version we stopped at is of no use any more; empty when it is. `in_stream`: a watch had begun."""
        if isinstance(failure, ApiError) and failure.status == GONE:
            return "gone"
        if isinstance(failure, ApiError) and failure.status in UNSUITED:
            return "refused"
        return "stuck" if self._is_stuck(failure, in_stream) else ""

    def wait_before_list(self) -> float:
        """None, unless the last list is not long ago: a server that forgets at once is not to be worn out."""
        self._stuck_since = None
        if self._clock() - self._listed >= self._timing.stuck:
            self._list_backoff.reset()
            return 0.0
        return self._list_backoff.wait(self._timing.longest)

    def wait_for(self, failure: Exception | None) -> float:
        """Seconds to wait after a failure; None is a watch that was closed as soon as it was open."""
        if isinstance(failure, ApiError) and failure.status == FORBIDDEN:
            # A server that has just begun refuses what it will allow in a moment: the waits begin short.
            return self._backoff.wait(self._timing.denied)
        wait = self._backoff.wait(self._timing.refused if isinstance(failure, Refused) else self._timing.longest)
        after = failure.retry_after if isinstance(failure, ApiError) else None
        return max(wait, after * (1 + 0.1 * self._random())) if after else wait

    def _is_stuck(self, failure: Exception, in_stream: bool) -> bool:
        """A server that is unwell gets well again; one that was put back to an earlier state never will."""
        telling = isinstance(failure, ApiError) and (in_stream or failure.status == _VERSION_TOO_NEW)
        if not telling and not isinstance(failure, Garbage):
            return False
        now = self._clock()
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since >= self._timing.stuck
