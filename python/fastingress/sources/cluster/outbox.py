"""What has arrived and was not taken yet: the newest word on each key, and the problems by part.

A consumer that is slow makes nobody wait, and costs no more than one change for each object. One that is fast waits for
a burst to be over: all that is done with a batch is done once for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from fastingress.objects import Object, ObjectKey
from fastingress.problems import Problem
from fastingress.store import Change, Delete, Upsert

QUIET = 0.003
"""Seconds without news after which a burst is over: so many at first, then twice as many, since a look costs too."""
LONGEST = 0.020
"""Seconds after which a burst is taken in any case."""


class ClusterBatch(Struct, frozen=True):
    """Changes that arrived together, and what is wrong with the parts of the source that they came from."""

    changes: list[Change]
    """An object is in it at most once."""
    problems: dict[str, list[Problem]]
    """By part, such as `ingresses` or `secrets shop/tls`: all that is wrong with it now. An empty list: nothing."""
    received: float | None
    """When the oldest event in it arrived, by the clock of the source; None if there is none."""
    settled: bool
    """Whether all that is needed is there, absent or denied."""

    def __bool__(self) -> bool:
        return bool(self.changes or self.problems)


class Outbox:
    """Takes in at any time, and is emptied at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changes: dict[ObjectKey, Change] = {}
        self._problems: dict[str, list[Problem]] = {}
        self._standing: dict[str, list[Problem]] = {}
        """The parts that have problems."""
        self._since: float | None = None
        self.newest: float | None = None
        """When something arrived for the last time."""
        self._stirred = asyncio.Event()

    def __len__(self) -> int:
        return len(self._changes) + len(self._problems)

    def upsert(self, item: Object) -> None:
        """The object looks like this."""
        self._put(item.key, Upsert(item))

    def delete(self, key: ObjectKey) -> None:
        """The object is gone, or not wanted any more."""
        self._put(key, Delete(key))

    def state(self, part: str, problems: Sequence[Problem] = ()) -> None:
        """All that is wrong with a part now."""
        new = list(problems)
        if new == self._standing.get(part, []):
            return
        if new:
            self._standing[part] = new
        else:
            del self._standing[part]
        self._problems[part] = new
        self.stirred()

    def stirred(self) -> None:
        """Something arrived, or a part of the source has settled."""
        self._stirred.set()

    async def stir(self) -> None:
        """Waits for the next such moment; one that has passed since the last time counts."""
        await self._stirred.wait()
        self._stirred.clear()

    async def burst(self) -> None:
        """Waits until there is something to take, and for the burst that it is part of to be over."""
        while not self:
            await self.stir()
        nap, left = QUIET, LONGEST
        while left > 0:
            self._stirred.clear()
            await asyncio.sleep(nap)
            if not self._stirred.is_set():
                return
            left -= nap
            nap = min(2 * nap, left)

    def take(self, *, settled: bool) -> ClusterBatch:
        """All there is."""
        batch = ClusterBatch(list(self._changes.values()), self._problems, self._since, settled)
        self._changes, self._problems, self._since = {}, {}, None
        return batch

    def _put(self, key: ObjectKey, change: Change) -> None:
        self._changes[key] = change
        self.newest = self._clock()
        if self._since is None:
            self._since = self.newest
        self.stirred()
