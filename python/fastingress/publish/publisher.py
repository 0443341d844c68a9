"""The publishing loop: one apply at a time, latest wins, keeps the last good.

Diff, encoding, compile and swap run on a thread of their own, so the loop never waits for them; what arrives meanwhile
is the next change set. It does not wait for a burst to be over: sources do, so that the steps before this one are
taken once for it, too. When an apply fails the table in use stays, the changes are kept (newer values win over them)
and tried again later: a problem, not an exit.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from fastingress.model import Key, Report, decode_report, encode_change_set
from fastingress.problems import Problem
from fastingress.publish.book import ProblemBook
from fastingress.publish.change import Changes, Published
from fastingress.publish.core import Core
from fastingress.publish.refusals import Refusals

_RETRY_FIRST = 0.5
_RETRY_LAST = 30.0

_SCOPE = "publish"


@dataclass(frozen=True)
class Outcome:
    """What came of one apply."""

    report: Report | None
    """`None` when nothing differed, or when it failed."""
    error: Exception | None
    upserts: int
    removals: int
    seconds: float
    """For diff, encoding, compile and swap."""
    since_submitted: float = 0.0
    """Seconds from when the first of it was submitted to when this was known."""
    since_received: float | None = None
    """Seconds from when the oldest event that led here arrived to when all workers had the new table, if known."""
    diverged: bool = False
    """The two sides state different digests afterwards."""


def publish(core: Core, published: Published, changes: Mapping[Key, bytes | None], *, full: bool = False) -> Outcome:
    """Apply what of `changes` differs from `published`, and take note of it there.

    Blocks. What the core raises is in the outcome.
    """
    started = time.perf_counter()
    difference = published.difference(changes, full=full)
    counts = functools.partial(Outcome, upserts=len(difference.upserts), removals=len(difference.removals))
    if not difference:
        return counts(report=None, error=None, seconds=time.perf_counter() - started)
    try:
        change_set = encode_change_set(difference.upserts, difference.removals, difference.full)
        report = decode_report(core.apply(change_set))
    except Exception as error:  # whatever it is, the last good table serves on
        return counts(report=None, error=error, seconds=time.perf_counter() - started)
    published.commit(difference)
    diverged = report.digest != published.digest()
    return counts(report=report, error=None, seconds=time.perf_counter() - started, diverged=diverged)


class Publisher:
    """Publishes what is submitted to it, from within one asyncio loop.

    `refusals` words the problems of reports, which go to `book`; `resync` gives all that is wanted, for the case that
    the two sides disagree; `published` is told every outcome. `off_loop` runs a function away from the loop: tests
    replace it.
    """

    def __init__(
        self,
        core: Core,
        book: ProblemBook,
        refusals: Refusals,
        *,
        resync: Callable[[], Mapping[Key, bytes]] | None = None,
        published: Callable[[Outcome], None] | None = None,
        off_loop: Callable[[Callable[[], Outcome]], Awaitable[Outcome]] | None = None,
    ) -> None:
        self._core = core
        self._book = book
        self._refusals = refusals
        self._resync = resync
        self._tell = published
        self._off_loop = off_loop or _OwnThread().run
        self._published = Published()
        self._pending: Changes = {}
        self._full = False
        self._arrived = asyncio.Event()
        self._retry = _RETRY_FIRST
        self._submitted = 0
        self._since: float | None = None
        self._received: float | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.applies = 0
        """How many change sets were sent."""

    def submit(self, upserts: Mapping[Key, bytes], removals: Iterable[Key], *, received: float | None = None) -> None:
        """Note new values and keys that are gone; the newest word on a key wins. Returns at once.

        `received` is when the event came that this is about, by the clock of the loop.
        """
        for key in removals:
            self._pending[key] = None
        self._pending.update(upserts)
        self._submitted += 1
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if received is not None:
            self._received = received if self._received is None else min(received, self._received)
        self._arrived.set()

    async def settle(self) -> None:
        """Wait until all that was submitted so far has been applied, or was tried and failed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._submitted, future))
        self._arrived.set()
        await future

    def digest(self) -> str:
        """Of what is published."""
        return self._published.digest()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._arrived.wait()
            outcome = await self._take()
            if outcome is not None and outcome.error is not None:
                await self._hold_off()

    async def _take(self) -> Outcome | None:
        changes, self._pending = self._pending, {}
        full, self._full = self._full, False
        since, self._since = self._since, None
        received, self._received = self._received, None
        upto = self._submitted
        self._arrived.clear()
        outcome = None
        if changes or full:
            outcome = await self._off_loop(
                lambda: publish(self._core, self._published, changes, full=full),
            )
            now = asyncio.get_running_loop().time()
            outcome = replace(
                outcome,
                since_submitted=0.0 if since is None else now - since,
                since_received=None if received is None or outcome.report is None else now - received,
            )
            self._note(outcome, changes, full)
        self._release(upto)
        return outcome

    def _note(self, outcome: Outcome, changes: Changes, full: bool) -> None:
        self.applies += outcome.report is not None or outcome.error is not None
        if outcome.error is not None:
            self._pending = {**changes, **self._pending}
            self._full = full
            message = f"the new configuration could not be applied, the last one serves on: {outcome.error}"
            self._state(Problem(code="ApplyFailed", severity="error", object=None, message=message))
        elif outcome.report is not None:
            self._retry = _RETRY_FIRST
            self._book.update(self._refusals.by_scope(outcome.report.problems))
            self._agree(outcome, full)
        if self._tell is not None:
            self._tell(outcome)

    def _agree(self, outcome: Outcome, full: bool) -> None:
        """After an apply the two sides must state one digest. If not, everything is sent once more."""
        if not outcome.diverged:
            self._state()
            return
        message = "the compiled table is not what was sent to it; this is a defect of fastingress, please report it"
        self._state(Problem(code="DigestMismatch", severity="error", object=None, message=message))
        if self._resync is not None and not full:
            self._pending = {**self._resync(), **self._pending}
            self._full = True
            self._arrived.set()

    def _state(self, *problems: Problem) -> None:
        self._book.update({_SCOPE: problems})

    def _release(self, upto: int) -> None:
        waiting, self._waiting = self._waiting, []
        for submitted, future in waiting:
            if future.done():
                continue
            if submitted <= upto:
                future.set_result(None)
            else:
                self._waiting.append((submitted, future))

    async def _hold_off(self) -> None:
        """After a failure: wait for a new change, or for a while that grows."""
        wait, self._retry = self._retry, min(self._retry * 2, _RETRY_LAST)
        try:
            await asyncio.wait_for(self._arrived.wait(), wait)
        except asyncio.TimeoutError:
            self._arrived.set()


class _OwnThread:
    """One thread, so that an apply never queues behind parsing or name lookups in the shared pool."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")

    async def run(self, work: Callable[[], Outcome]) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
