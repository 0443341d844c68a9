"""Asks the API server for its version every other second: it notices when the server goes, and when it is back.

A watch whose server is away waits longer and longer, and one whose connection died without a word waits for its end;
with this, both go on at once when the server is back. While it is away it is asked more often: a question may be lost
with the server just back, and is given up only after `timeout`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fastingress.api import ApiError, Calls, Unreachable

_PATH = "/version"


class Heartbeat:
    """`recovered` is called when the server answers after it had not; `reachable` says how it stands."""

    def __init__(
        self,
        api: Calls,
        *,
        recovered: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        every: float = 2.0,
        while_away: float = 0.5,
        timeout: float = 1.5,
    ) -> None:
        self._api = api
        self._recovered = recovered
        self._clock = clock
        self._every = every
        self._while_away = while_away
        self._timeout = timeout
        self.reachable = True
        """The last answer came. True before the first one is due."""
        self.since = clock()
        """When `reachable` became what it is, by the clock."""
        self.trouble = ""
        """Why it is not reachable."""

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            self._note(await self._ask())
            await asyncio.sleep(self._every if self.reachable else self._while_away)

    async def _ask(self) -> str:
        """What is wrong, or nothing. Who refuses us is there."""
        try:
            await self._api.call("GET", _PATH, timeout=self._timeout)
        except ApiError as error:
            return str(error) if error.status >= 500 else ""
        except Unreachable as error:
            return str(error)
        return ""

    def _note(self, trouble: str) -> None:
        self.trouble = trouble
        if self.reachable != (not trouble):
            self.reachable = not trouble
            self.since = self._clock()
            if self.reachable:
                self._recovered()
