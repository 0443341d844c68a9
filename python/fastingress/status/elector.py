"""Which of several replicas leads: the one that holds a Lease.

All times are those of a monotonic clock of our own; what the clock on the wall says is written into the Lease for
readers, and never read. Four rules keep two replicas from leading at once, whatever stalls, is lost or deleted:

- We lead until `deadline` after the *start* of the last renewal that succeeded, and `leading` asks the clock each time.
- A renewal is a PUT with uid and version: it succeeds only if nobody wrote since we looked.
- Another's Lease is ours to take when it was given back, or when no write to it was seen for `duration`, which is
  longer than `deadline`.
- A Lease that is new, because it was deleted or never held, says nothing about who led before: who gets hold of it
  leads only after one more `duration`. That is also the time from the very first start to the first leader.

Only a leader writes status and Events. This file knows neither.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from fastingress.api import CONFLICT, FORBIDDEN, NOT_FOUND, ApiError, Calls, Unreachable
from fastingress.status.lease import Lease, new_lease

_log = logging.getLogger("fastingress.status")


@dataclass(frozen=True)
class Timing:
    """Seconds. `request` is below half of `deadline`, so that one stalled renewal is made good in time."""

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0
    request: float = 4.0


def steady_clock() -> float:
    """Seconds that pass while the machine sleeps, too: a leader that wakes up knows that its time is over."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Elector:
    """Takes part in the election for the Lease `namespace`/`name`.

    `identity` differs from that of every other replica and of every earlier run: the pod's name and something random.
    `changed` is told, in the loop, when we begin to lead and when we have stopped; that we stopped it may be told some
    seconds late, so whoever writes asks `leading` first.
    """

    def __init__(
        self,
        api: Calls,
        namespace: str,
        name: str,
        identity: str,
        *,
        changed: Callable[[bool], None],
        timing: Timing | None = None,
        clock: Callable[[], float] = steady_clock,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.identity = identity
        self._api = api
        self._namespace = namespace
        self._name = name
        self._changed = changed
        self._timing = timing or Timing()
        self._clock = clock
        self._wall = wall
        self._random = random or Random()
        self._sleep = sleep
        self._told = False
        self._ended = False
        self._complained = ""
        self._until = -math.inf
        """When we stop to lead."""
        self._lease: Lease | None = None
        """As it was last read or written; None when we have to look."""
        self._mark = ("", "")
        self._since = 0.0
        """When we saw that the lease was written, and its uid and version then."""
        self._ripe = -math.inf
        """When the lease that has this uid may make a leader of us."""

    @property
    def leading(self) -> bool:
        """Whether we lead at this moment."""
        return self._clock() < self._until

    @property
    def holder(self) -> str:
        """Who holds the lease, as far as we know."""
        return self._lease.holder if self._lease else ""

    async def run(self) -> None:
        """Take part until cancelled, or until `release`. Outlives every failure."""
        while not self._ended:
            try:
                await self._round()
                self._complained = ""
            except ApiError as error:
                self._failed(error)
            except Unreachable as error:
                self._complain("unreachable", str(error))
            except Exception as error:  # an answer that is no Lease, or a mistake of ours: neither ends elections
                self._lease = None
                self._complain("garbage", f"{type(error).__name__}: {error}")
            self._tell()
            await self._sleep(self._timing.retry * self._random.uniform(0.75, 1.0))

    async def release(self) -> None:
        """Stop to lead and, if we led, give the lease back, so that another takes it at its next look.

        To be called when all that only a leader does has ended. Does not fail: the lease runs out by itself.
        """
        led = self.leading
        self._ended = True
        self._until = -math.inf
        self._tell()
        if not led:  # what we hold but never led with says nothing about who led before
            return
        try:
            if not await self._give_back():
                self._learn(await self._read())
                await self._give_back()
        except (ApiError, Unreachable, ValueError) as error:
            _log.info("the lease %s/%s could not be given back: %s", self._namespace, self._name, error)

    async def _round(self) -> None:
        """Renew what we lead with; else look, and take what may be taken. Who comes too late looks once more."""
        for _ in range(2):
            if self._lease is None or not self.leading:
                self._learn(await self._read_or_create())
            if not self._may_write() or await self._write():
                return

    def _may_write(self) -> bool:
        lease = self._lease
        if lease is None:
            return False
        if lease.holder == self.identity or lease.released or lease.unused:
            return True
        return self._clock() >= self._since + lease.patience(self._timing.duration)

    async def _write(self) -> bool:
        """Take or renew. False when someone else wrote since we looked."""
        assert self._lease is not None
        started = self._clock()
        body = self._lease.taken(self.identity, self._timing.duration, self._wall())
        try:
            answer = await self._api.call("PUT", self._path, body=body, timeout=self._timing.request)
        except ApiError as error:
            self._lease = None
            if error.status in (CONFLICT, NOT_FOUND):
                return False
            raise
        except Unreachable:  # it may have happened
            self._lease = None
            raise
        self._tell()  # if our time ran out meanwhile, that is told before it begins again
        self._learn(Lease.parse(answer))
        if self._clock() >= self._ripe and not self._ended:
            self._until = started + self._timing.deadline
        return True

    async def _read_or_create(self) -> Lease:
        try:
            return await self._read()
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
        body = new_lease(self._namespace, self._name, self.identity, self._timing.duration, self._wall())
        try:
            return Lease.parse(await self._api.call("POST", self._folder, body=body, timeout=self._timing.request))
        except ApiError as error:
            if error.status != CONFLICT:
                raise
        return await self._read()

    async def _read(self) -> Lease:
        return Lease.parse(await self._api.call("GET", self._path, timeout=self._timing.request))

    def _learn(self, lease: Lease) -> None:
        """Take note of what the lease is now, and since when, by our clock, it is so."""
        now = self._clock()
        if lease.uid != self._mark[0]:
            new = lease.unused or lease.holder == self.identity
            self._ripe = now + self._timing.duration if new else -math.inf
        if (lease.uid, lease.version) != self._mark:
            self._mark, self._since = (lease.uid, lease.version), now
        if lease.holder not in ("", self.identity):
            self._until = -math.inf
        self._lease = lease

    async def _give_back(self) -> bool:
        """False when it has to be looked at first."""
        lease, self._lease = self._lease, None
        if lease is None:
            return False
        if lease.holder != self.identity:
            return True
        try:
            body = lease.given_back(self._wall())
            await self._api.call("PUT", self._path, body=body, timeout=self._timing.request)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            return False
        return True

    def _tell(self) -> None:
        leading = self.leading
        if leading == self._told:
            return
        self._told = leading
        _log.info("%s the lease %s/%s", "leading with" if leading else "no longer leading with", *self._names)
        self._changed(leading)

    def _failed(self, error: ApiError) -> None:
        if error.status != FORBIDDEN:
            self._complain(str(error.status), str(error))
            return
        verb = {"GET": "get", "PUT": "update", "POST": "create"}.get(error.verb, error.verb)
        what = f"cannot {verb} leases (coordination.k8s.io) in the namespace {self._namespace}, so we never lead"
        self._complain("denied", f"{what}: {error.message or error}")

    def _complain(self, kind: str, message: str) -> None:
        """One line for each way to fail, until it works again."""
        if kind != self._complained:
            _log.warning("the lease %s/%s: %s", *self._names, message)
            self._complained = kind

    @property
    def _names(self) -> tuple[str, str]:
        return self._namespace, self._name

    @property
    def _folder(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self._name}"
