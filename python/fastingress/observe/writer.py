"""Writes lines to a descriptor from a thread of its own, so that a blocked or closed reader stops nobody.

Lines beyond a bound are dropped and counted. Nothing here goes through `sys.stderr`: a thread that is stuck in a write
must hold no lock that the interpreter wants when it ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

_MOST_LINES = 10_000


class LineWriter:
    """Takes lines from any thread and writes them in order. Never raises, never blocks its callers."""

    def __init__(self, descriptor: int, *, most: int = _MOST_LINES) -> None:
        self._descriptor = descriptor
        self._most = most
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._broken = False
        self.dropped = 0
        """Lines that were never written."""
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: str) -> None:
        """Queue one line, without its end."""
        with self._changed:
            if self._broken or len(self._lines) >= self._most:
                self.dropped += 1
                return
            self._lines.append(line)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all is written, for at most so many seconds. True if it was."""
        until = time.monotonic() + timeout
        with self._changed:
            while (self._lines or self._busy) and not self._broken:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            return not self._broken

    def _run(self) -> None:
        told = 0
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                batch = list(self._lines)
                self._lines.clear()
                self._busy = True
                dropped, told = self.dropped - told, self.dropped
            if dropped:
                batch.append(f"{dropped} log lines were dropped: nobody was reading them")
            done = self._put("".join(f"{line}\n" for line in batch).encode(errors="replace"))
            with self._changed:
                self._busy = False
                self._broken = self._broken or not done
                self._changed.notify_all()

    def _put(self, content: bytes) -> bool:
        """False when the other end is gone."""
        rest = memoryview(content)
        while rest:
            written = self._put_some(rest)
            if written is None:
                return False
            rest = rest[written:]
        return True

    def _put_some(self, content: memoryview) -> int | None:
        try:
            return os.write(self._descriptor, content)
        except BlockingIOError:  # someone else made the descriptor non-blocking
            time.sleep(0.05)
            return 0
        except OSError:
            return None
