"""The gateway's command line with a loop that tells when it was held up. Run by the bench in place of `fastingress`.

Two things hold a loop up. Its own callbacks, for as long as they run; and a thread that keeps the interpreter's lock,
a collection in it too: then the loop wakes later than it asked to. Both are seen from the selector, without touching
the loop. Since others want the processor as well, what was ours is told beside it: the time without what the loop's
thread waited for a processor, and never more than the whole process spent on one meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import threading
import time
from typing import Any, NamedTuple

from fastingress.__main__ import main

TOLD_FROM = 0.002
"""Seconds from which on a stall is told."""
_TICK = 0.001


class _Moment(NamedTuple):
    """Three clocks, read at once, in seconds."""

    wall: float
    queued: float
    """How long the loop's thread had been able to run and was not let."""
    spent: float
    """Processor time of the process."""


class Watching(selectors.EpollSelector):
    """Wakes every millisecond and compares."""

    def __init__(self) -> None:
        super().__init__()
        self._statistics = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._returned = self._now()

    def select(self, timeout: float | None = None) -> Any:
        called = self._now()
        _tell("busy", self._returned, called)
        asked = _TICK if timeout is None else min(max(timeout, 0.0), _TICK)
        events = super().select(asked)
        self._returned = self._now()
        if not events:
            _tell("late", called, self._returned, asked)
        return events

    def close(self) -> None:
        os.close(self._statistics)
        super().close()

    def _now(self) -> _Moment:
        queued = int(os.pread(self._statistics, 100, 0).split()[1]) / 1e9
        return _Moment(time.perf_counter(), queued, time.process_time())


def _tell(kind: str, begin: _Moment, end: _Moment, asked: float = 0.0) -> None:
    seconds = end.wall - begin.wall - asked
    if seconds < TOLD_FROM:
        return
    ours = max(0.0, min(seconds - (end.queued - begin.queued), end.spent - begin.spent))
    event = {"event": "stall", "kind": kind, "seconds": seconds, "ours": ours}
    os.write(2, json.dumps({"level": "debug", "message": "the loop was held up", **event}).encode() + b"\n")


if __name__ == "__main__":
    # What `asyncio.run` makes its loop with.
    asyncio.events.new_event_loop = lambda: asyncio.SelectorEventLoop(Watching())
    main()
