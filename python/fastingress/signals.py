"""SIGTERM and SIGINT: the first is told to the loop, the second ends the process at once.

Python's handlers run between two of its instructions, so a thread of the Rust core counts the signals as well, from the
wakeup descriptor, and acts even while Python is busy. `loop.add_signal_handler` is not used: it takes that descriptor.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Installed for the rest of the process; to be made in its main thread, within the loop."""

    def __init__(self, watch: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[signal.Signals] = self._loop.create_future()
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        watch(self._reading.fileno())
        for number in STOPPING:
            signal.signal(number, self._handle)

    async def first(self) -> signal.Signals:
        """The signal that asked to stop."""
        return await self._first

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._note, signal.Signals(number))

    def _note(self, number: signal.Signals) -> None:
        if not self._first.done():
            self._first.set_result(number)
