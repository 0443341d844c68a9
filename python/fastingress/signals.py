"""SIGTERM, SIGQUIT and SIGINT: the first is told to the loop, the second ends the process at once. What asks other
servers to reload or to reopen files ends nothing here: it is answered with a line.

Python's handlers run between two of its instructions, so a thread of the Rust core counts the signals as well, from the
wakeup descriptor, and acts even while Python is busy. `loop.add_signal_handler` is not used: it takes that descriptor.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

_log = logging.getLogger("fastingress")

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""The last is how nginx is asked to end in good order, which images and scripts made for it do."""
UNHEEDED = {
    signal.SIGHUP: "nothing is to be reloaded, changes are live when they are made",
    signal.SIGUSR1: "there are no files to reopen, logs go to standard output and standard error",
    signal.SIGUSR2: "there is nothing to do",
}
"""Why there is nothing to do at signals that other servers have a use for."""


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
        for number in UNHEEDED:
            if signal.getsignal(number) is signal.SIG_DFL:  # and not ignored, as nohup has it
                signal.signal(number, self._handle if number == signal.SIGHUP and _at_terminal() else self._tell)

    async def first(self) -> signal.Signals:
        """The signal that asked to stop."""
        return await self._first

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._note, signal.Signals(number))

    def _tell(self, number: int, frame: FrameType | None) -> None:
        received = signal.Signals(number)
        self._loop.call_soon_threadsafe(_log.info, "%s: %s", received.name, UNHEEDED[received])

    def _note(self, number: signal.Signals) -> None:
        if not self._first.done():
            self._first.set_result(number)


def _at_terminal() -> bool:
    """True when a hangup can only mean that the terminal has gone."""
    return sys.stdin is not None and sys.stdin.isatty()
