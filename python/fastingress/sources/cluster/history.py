"""Notices a server that was put back: emptied, or restored from a copy.

Such a server takes the versions that we stopped at for future ones, and is silent until it gets there. Versions only
grow, so one that is smaller than an earlier one tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from fastingress.api import ApiError, Calls, Unreachable
from fastingress.sources.cluster.wire import version_of

_log = logging.getLogger("fastingress.cluster")

EVERY = 30.0
"""Seconds between two looks, as long as nothing happens."""
_TIMEOUT = 5.0


class History:
    """Asks for the newest version now and then. `path` is that of a collection that we may list."""

    def __init__(self, api: Calls, path: str, *, lost: Callable[[], None], every: float = EVERY) -> None:
        self._api = api
        self._path = path
        self._lost = lost
        self._every = every
        self._newest = 0
        self._due = asyncio.Event()

    def look(self) -> None:
        """Something happened: look at once."""
        self._due.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            # What is wrong with the server is said by whoever follows the objects.
            with contextlib.suppress(ApiError, Unreachable, ValueError):
                self._note(await self._version())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._due.wait(), self._every)
            self._due.clear()

    async def _version(self) -> int:
        return int(version_of(await self._api.call("GET", self._path, query={"limit": "1"}, timeout=_TIMEOUT)))

    def _note(self, version: int) -> None:
        before, self._newest = self._newest, version
        if version < before:
            _log.warning("the API server went back from version %d to %d: everything is listed anew", before, version)
            self._lost()
