"""The gateway's command line with a loop that tells when it was held up. Run by the bench in place of `fastingress`.

Two things hold a loop up. Its own callbacks, for as long as they run; and a thread that keeps the interpreter's lock,
a collection in it too: then the loop wakes later than it asked to. Both are seen from the selector, without touching
the loop. Since others want the processor as well, each time stands beside the processor time that was spent in it: by
the loop's thread for callbacks, by the whole process for a late wake. The smaller of both is what was ours.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from typing import Any

TOLD_FROM = 0.002
"""Seconds from which on a stall is told."""
_TICK = 0.001


class Watching(selectors.EpollSelector):
    """Wakes every millisecond and compares."""

    def __init__(self) -> None:
        super().__init__()
        self._returned = time.perf_counter()
        self._returned_cpu = time.thread_time()

    def select(self, timeout: float | None = None) -> Any:
        called = time.perf_counter()
        _tell("busy", called - self._returned, time.thread_time() - self._returned_cpu)
        asked = _TICK if timeout is None else min(max(timeout, 0.0), _TICK)
        cpu = time.process_time()
        events = super().select(asked)
        self._returned = time.perf_counter()
        self._returned_cpu = time.thread_time()
        if not events:
            _tell("late", self._returned - called - asked, time.process_time() - cpu)
        return events


def _tell(kind: str, wall: float, cpu: float) -> None:
    if wall < TOLD_FROM:
        return
    event = {"event": "stall", "kind": kind, "seconds": wall, "cpu_seconds": cpu, "ours": min(wall, cpu)}
    os.write(2, json.dumps({"level": "debug", "message": "the loop was held up", **event}).encode() + b"\n")


if __name__ == "__main__":
    selectors.DefaultSelector = Watching  # type: ignore[misc,assignment]
    from fastingress.__main__ import main

    main()
