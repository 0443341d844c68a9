"""A loop on virtual time, and a core whose applies begin and end when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from fastingress.model import Compiled, Key, Report, ReportedProblem, decode_change_set, digest_of
from fastingress.publish import Outcome


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits: when nothing can run, its clock jumps to the next timer."""

    def __init__(self) -> None:
        selector = selectors.DefaultSelector()
        super().__init__(selector)
        self._now = 0.0
        really_select = selector.select

        def select(timeout: float | None = None) -> Any:
            if timeout:
                self._now += timeout
            assert timeout is not None, "the test waits for something that can never happen"
            return really_select(0)

        selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self._now


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test on a virtual loop."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(test)
    finally:
        loop.close()


class FakeCore:
    """Keeps the state as the Rust side does. `refuse` makes applies raise, `problems` go into the next report."""

    def __init__(self) -> None:
        self.state: dict[Key, bytes] = {}
        self.change_sets: list[dict[str, Any]] = []
        self.refuse: list[Exception] = []
        self.problems: list[tuple[str, tuple[ReportedProblem, ...]]] = []
        self.lie = 0

    def apply(self, change_set: bytes, /) -> bytes:
        if self.refuse:
            raise self.refuse.pop(0)
        change = decode_change_set(change_set)
        upserts: dict[Key, bytes] = {(kind, name): blob for kind, name, blob in change.upserts}
        if change.full:
            self.state = {}
        self.state.update(upserts)
        for kind, name in change.removals:
            self.state.pop((kind, name), None)
        self.change_sets.append(
            {"full": change.full, "upserts": upserts, "removals": {tuple(key) for key in change.removals}}
        )
        problems, self.problems = tuple(self.problems), []
        return msgspec.msgpack.encode(
            Report(
                generation=len(self.change_sets), digest=self._digest(), compiled=Compiled(), problems=tuple(problems)
            )
        )

    def _digest(self) -> str:
        if self.lie:
            self.lie -= 1
            return "0" * 32
        return format(sum(digest_of(key, blob) for key, blob in self.state.items()) % (1 << 128), "032x")


class Gate:
    """Stands where the thread would: each apply takes `seconds` of virtual time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.started: list[float] = []
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, work: Callable[[], Outcome]) -> Awaitable[Outcome]:
        return self._run(work)

    async def _run(self, work: Callable[[], Outcome]) -> Outcome:
        self.started.append(asyncio.get_running_loop().time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        return work()


@contextlib.asynccontextmanager
async def running(publisher: Any) -> Any:
    """Runs the publisher's loop for the length of a block."""
    task = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
