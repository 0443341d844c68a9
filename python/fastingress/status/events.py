"""Shows problems as Events on their objects, so that `kubectl describe ingress` says why it does not work.

Every replica keeps what stands; the leader states it. An Event is forgotten by the cluster after an hour, so a problem
that lasts is stated again as a series, every half an hour. Statements are rationed, over all and for each object, and
what was raised last comes first: someone may be waiting for it. The order of the others, and what is too much to be
kept at all, costs time and is counted, never lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import msgspec

from fastingress.api import CONFLICT, MERGE, NOT_FOUND, ApiError, Calls, Unreachable
from fastingress.problems import Problem
from fastingress.status.answers import is_invalid, is_transient
from fastingress.status.counters import EventCounters
from fastingress.status.denials import Denials, is_denied, is_terminating
from fastingress.status.event import count_of, created, event_name, namespace_of, repeated
from fastingress.status.pacing import Brake, Bucket, grown, passed
from fastingress.status.queue import DueQueue

_log = logging.getLogger("fastingress.status")

REPEAT = 1800.0
"""Seconds after which a problem that stands is stated again, at the latest."""
MOST = 20_000
"""Problems that are kept."""
_RATE, _BURST = 20.0, 100
"""Statements a second over all."""
_OBJECT_RATE, _OBJECT_BURST = 1 / 30, 10
"""Statements a second on one object."""
_TIMEOUT = 4.0
_RETRY_FIRST, _RETRY_LAST = 1.0, 300.0
_PAGE = 100


@dataclass
class _Standing:
    problem: Problem
    count: int = 0
    """How often it was stated, as far as we know."""
    failures: int = 0


class EventRecorder:
    """States problems as Events, from within one asyncio loop.

    `standing` gives all problems there are, and is asked when there is room again for some that were too many.
    """

    def __init__(
        self,
        api: Calls,
        *,
        controller: str,
        instance: str,
        leading: Callable[[], bool],
        standing: Callable[[], Iterable[Problem]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self.counters = EventCounters()
        self._api = api
        self._controller = controller
        self._instance = instance
        self._leading = leading
        self._all = standing
        self._clock = clock
        self._wall = wall
        self._random = random or Random()
        self._standing: dict[str, _Standing] = {}
        self._queue = DueQueue[str](clock)
        self._bucket = Bucket(_RATE, _BURST, clock)
        self._buckets: dict[str, Bucket] = {}
        self._brake = Brake(clock)
        self._denials = Denials("create or patch events (events.k8s.io)", clock)
        self._overflown = False

    def raised(self, problem: Problem) -> None:
        """A problem appeared."""
        self._keep(problem, first=True)
        self._count()

    def cleared(self, problem: Problem) -> None:
        """It is gone. Its Event stays for the hour that Events live."""
        self._standing.pop(event_name(problem, self._controller), None)
        if self._overflown and len(self._standing) < MOST * 0.9:
            self._overflown = False
            self._keep_all(self._all())
        self._count()

    def restate(self, problems: Iterable[Problem]) -> None:
        """These are all that stand, and we begin to lead: state each."""
        before, self._standing = self._standing, {}
        self._queue.clear()
        self._overflown = False
        self._keep_all(problems)
        for name in self._standing.keys() & before.keys():
            self._standing[name].count = before[name].count
        self._count()

    async def run(self) -> None:
        """State problems until cancelled. Outlives every failure."""
        taken = 0
        while True:
            name = await self._queue.take()
            taken += 1
            if taken % _PAGE == 0:
                await asyncio.sleep(0)
            if name in self._standing and self._leading():
                await passed(lambda: max(self._brake.wait(), self._bucket.wait()))
                await self._look(name)
            self._count()

    def _keep_all(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._keep(problem, first=False)

    def _keep(self, problem: Problem, *, first: bool) -> None:
        name = event_name(problem, self._controller)
        if not name or name in self._standing:
            return
        if len(self._standing) >= MOST:
            self.counters.dropped += 1
            self._overflown = True
            return
        self._standing[name] = _Standing(problem)
        self._queue.add(name, first=first)

    async def _look(self, name: str) -> None:
        standing = self._standing.get(name)
        if standing is not None and self._leading() and self._may_state(name, standing.problem):
            await self._state(name, standing)

    def _may_state(self, name: str, problem: Problem) -> bool:
        """Whether its object and its namespace may have one more now. If not it comes again later."""
        uid = problem.object.uid if problem.object else ""
        bucket = self._buckets.get(uid)
        if bucket is None:
            self._drop_full_buckets()
            bucket = self._buckets[uid] = Bucket(_OBJECT_RATE, _OBJECT_BURST, self._clock)
        wait = bucket.wait() or self._denials.wait(namespace_of(problem))
        if wait > 0:
            self._queue.add_later(name, wait)
            return False
        bucket.take()
        self._bucket.take()
        return True

    def _drop_full_buckets(self) -> None:
        """Keep as many as there can be problems: one that is full is as good as a new one."""
        if len(self._buckets) >= MOST:
            self._buckets = {uid: bucket for uid, bucket in self._buckets.items() if not bucket.full}

    async def _state(self, name: str, standing: _Standing) -> None:
        try:
            result = await self._send(name, standing)
        except ApiError as error:
            self._answered(name, standing, error)
        except Unreachable as error:
            self._try_again(name, standing, error)
        except Exception as error:  # an answer that is no Event, or a mistake of ours: the others are stated
            self.counters.events["refused"] += 1
            _log.error("the Event %s could not be written", name, exc_info=error)
        else:
            self.counters.events[result] += 1
            self._brake.worked()
            self._denials.allowed(namespace_of(standing.problem))
            standing.failures = 0
            self._queue.add_later(name, REPEAT * self._random.uniform(0.8, 1.0))

    async def _send(self, name: str, standing: _Standing) -> str:
        if standing.count:
            try:
                return await self._repeat(name, standing, standing.count + 1)
            except ApiError as error:
                if error.status != NOT_FOUND:  # else the cluster has forgotten it
                    raise
        try:
            return await self._create(name, standing)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
        try:  # someone stated it before us, and how often only the server knows
            return await self._repeat(name, standing, 0)
        except ApiError as error:
            if not is_invalid(error):
                raise
        return await self._repeat(name, standing, 2)

    async def _create(self, name: str, standing: _Standing) -> str:
        body = created(standing.problem, name, self._controller, self._instance, self._wall())
        await self._api.call("POST", _path(standing.problem), body=body, timeout=_TIMEOUT)
        standing.count = 1
        return "created"

    async def _repeat(self, name: str, standing: _Standing, count: int) -> str:
        path = f"{_path(standing.problem)}/{name}"
        body = repeated(count, self._wall())
        answer = await self._api.call("PATCH", path, body=body, content_type=MERGE, timeout=_TIMEOUT)
        standing.count = count or count_of(msgspec.json.decode(answer))
        return "repeated"

    def _answered(self, name: str, standing: _Standing, error: ApiError) -> None:
        """What is final is not tried again until the problem is raised anew or another replica leads."""
        if is_transient(error) or error.status == CONFLICT:
            self._try_again(name, standing, error)
            return
        self._brake.worked()
        namespace = namespace_of(standing.problem)
        if is_denied(error):
            self.counters.events["denied"] += 1
            self._denials.denied(namespace, error)
            self._queue.add_later(name, self._denials.wait(namespace))
        elif is_terminating(error) or error.status == NOT_FOUND:
            self.counters.events["terminating"] += 1
        else:
            self.counters.events["refused"] += 1
            _log.warning("the Event %s is refused: %s", name, error)

    def _try_again(self, name: str, standing: _Standing, error: ApiError | Unreachable) -> None:
        self.counters.events["failed"] += 1
        self._brake.failed(error)
        standing.failures += 1
        self._queue.add_later(name, grown(_RETRY_FIRST, standing.failures, _RETRY_LAST, self._random))

    def _count(self) -> None:
        self.counters.standing = len(self._standing)
        self.counters.queued = len(self._queue)


def _path(problem: Problem) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace_of(problem)}/events"
