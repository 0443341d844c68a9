"""Keys that are to be looked at, now or later, each at most once: what a level-triggered loop takes its work from.

It holds names and times, never work: whoever takes a key looks at how things are then. One loop takes from it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from fastingress.status.pacing import GRAIN

Key = TypeVar("Key", bound=Hashable)


class DueQueue(Generic[Key]):
    """A key that is added again before it was taken is taken once, at the earlier of its times."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._in_ready: set[Key] = set()
        self._later: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._sequence = 0
        self._woken = asyncio.Event()

    def add(self, key: Key, *, first: bool = False) -> None:
        """To be taken now; with `first` before all others."""
        if key in self._in_ready:
            return
        self._due.pop(key, None)
        self._in_ready.add(key)
        (self._ready.appendleft if first else self._ready.append)(key)
        self._woken.set()

    def add_all(self, keys: Iterable[Key]) -> None:
        """To be taken now, in their order."""
        for key in keys:
            self.add(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """To be taken in so many seconds, unless it is due before."""
        due = self._clock() + max(seconds, GRAIN)
        if key in self._in_ready or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, key))
        self._woken.set()

    def clear(self) -> None:
        """Forget all of them."""
        self._ready.clear()
        self._in_ready.clear()
        self._later.clear()
        self._due.clear()

    async def take(self) -> Key:
        """The next key that is due. Waits for one."""
        while True:
            wait = self._promote()
            if self._ready:
                key = self._ready.popleft()
                self._in_ready.discard(key)
                return key
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), None if wait is None else max(wait, GRAIN))
            except asyncio.TimeoutError:
                continue

    def __len__(self) -> int:
        return len(self._in_ready) + len(self._due)

    def _promote(self) -> float | None:
        """Move what is due by now; answers the seconds until the next is, None when there is none."""
        now = self._clock()
        while self._later:
            due, _, key = self._later[0]
            stale = self._due.get(key) != due
            if not stale and due > now:
                return due - now
            heapq.heappop(self._later)
            if not stale:
                del self._due[key]
                self._in_ready.add(key)
                self._ready.append(key)
        return None
