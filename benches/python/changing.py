"""What an endpoint change costs: `python -m benches.python.changing INGRESSES RATE SECONDS`.

The running controller, but for the connection to an API server: lines of a watch come at a steady rate, so many a
second, and go through feed, outbox, control loop, publisher and core. Prints JSON, `Costs`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benches.cluster.plan import Plan
from benches.python.objects import moved, objects
from fastingress import collector
from fastingress.app import Service
from fastingress.config import Config, from_options
from fastingress.publish import Core
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.kinds import row_for
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.outbox import ClusterBatch, Outbox
from fastingress.sources.cluster.wire import event_of
from tests.support.proc import resident_bytes

_QUIET = {"http_port": 0, "https_port": 0, "admin_port": 0, "access_log": "off", "log_level": "error"}
_REST = 2.0
"""Seconds for what a start leaves to be done later."""


@dataclass(frozen=True)
class Costs:
    """Of one change, in microseconds of processor time."""

    python: float
    """From the line of the watch to the change set that the core gets, and for its answer."""
    rust: float
    """In the core's `apply`: compile and swap."""
    others: float
    """Of all other threads: workers that take the new table up, and the one that follows names."""
    changes_per_apply: float
    resident_mib: float
    """Of the process, before the first change."""


class Timed:
    """A core that knows how much of the thread it took."""

    def __init__(self, core: Core) -> None:
        self.seconds = 0.0
        self.applies = 0
        self._core = core

    def apply(self, change_set: bytes, /) -> bytes:
        """As the core does."""
        began = time.thread_time()
        try:
            return self._core.apply(change_set)
        finally:
            self.seconds += time.thread_time() - began
            self.applies += 1


class Streamed(Service):
    """A service whose source is a list of objects and then lines of a watch."""

    def __init__(self, config: Config, plan: Plan) -> None:
        super().__init__(config)
        self.timed = Timed(self.core)
        self.publisher._core = self.timed
        self._plan = plan
        self._outbox = Outbox(time.monotonic)
        row = row_for("EndpointSlice", ClusterOptions())
        self._slices = Feed(row, "", self._outbox)

    def hear(self, line: bytes) -> None:
        """A line of the watch, as a reflector takes it."""
        event = event_of(line)
        self._slices.item(event.object, event.version)

    async def _reader(self) -> Coroutine[Any, Any, None]:
        for item in objects(self._plan):
            self._outbox.upsert(item)
        return self.control.follow(self._batches(), self._submit, self._taken)

    async def _batches(self) -> AsyncIterator[ClusterBatch]:
        while True:
            yield self._outbox.take(settled=True)
            await self._outbox.burst()


def main() -> None:
    """Measures what was asked for."""
    ingresses, rate, seconds = map(int, sys.argv[1:])
    with collector.deferred():
        found = asyncio.run(costs(Plan(ingresses), rate, seconds, live=collector.resume))
    print(json.dumps(asdict(found)))


async def costs(plan: Plan, rate: int, seconds: int, *, live: Callable[[], None] | None = None) -> Costs:
    """Of a stream of so many changes a second, for so many seconds; `live` is called before the first."""
    lines = [moved(plan, number % plan.ingresses, 1 + number // plan.ingresses) for number in range(rate * seconds)]
    service = Streamed(from_options(_QUIET), plan)
    try:
        await service.start()
        if live is not None:
            live()
        await asyncio.sleep(_REST)
        return await _streamed(service, lines, rate)
    finally:
        await service.close()


async def _streamed(service: Streamed, lines: Sequence[bytes], rate: int) -> Costs:
    resident = resident_bytes()
    timed, python, process = service.timed, _python_seconds(), time.process_time()
    before = timed.seconds, timed.applies
    began = time.perf_counter()
    for number, line in enumerate(lines):
        wait = began + number / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        service.hear(line)
    await asyncio.sleep(0.1)
    await service.publisher.settle()
    process, python = time.process_time() - process, _python_seconds() - python
    rust, applies = timed.seconds - before[0], timed.applies - before[1]
    return Costs(
        python=(python - rust) / len(lines) * 1e6,
        rust=rust / len(lines) * 1e6,
        others=(process - python) / len(lines) * 1e6,
        changes_per_apply=len(lines) / applies,
        resident_mib=resident / 2**20,
    )


def _python_seconds() -> float:
    """Processor time of all threads that run Python."""
    tasks = [Path(f"/proc/self/task/{thread.native_id}/schedstat") for thread in threading.enumerate()]
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


if __name__ == "__main__":
    main()
