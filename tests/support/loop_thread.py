"""An event loop on a thread of its own, for what a test needs beside it, and an end that leaves no socket open."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE = 5.0
_OWN = 1  # the pipe by which other threads wake the loop


class LoopThread:
    """Runs from `start` to `end`. The thread is in the network namespace of the one that starts it."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def start(self) -> None:
        """Starts it."""
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine there and waits for what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def do(self, work: Callable[[], T]) -> T:
        """Calls a function there and waits for what it returns."""

        async def done() -> T:
            return work()

        return self.run(done())

    def end(self) -> None:
        """Ends it once all transports have closed: those of TLS take a while."""
        self.run(self._drained())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _drained(self) -> None:
        end = time.monotonic() + _PATIENCE
        while len(self._selector.get_map()) > _OWN and time.monotonic() < end:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        await self._loop.shutdown_asyncgens()
