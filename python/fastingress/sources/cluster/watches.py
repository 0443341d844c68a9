"""The reflectors that run, each with its feed: started, ended, renewed and counted together."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.kinds import Row
from fastingress.sources.cluster.reflector import Reflector, Timing
from fastingress.sources.cluster.transport import Api
from fastingress.tasks import end

_log = logging.getLogger("fastingress.cluster")

_ONE_BY_ONE = Timing(watch=30.0)
"""There may be hundreds: each is opened anew half as often."""


class Watches:
    """All of one source. Runs in one loop."""

    def __init__(self, api: Api, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._random = random
        self._running: dict[Feed, tuple[Reflector, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._missing: dict[tuple[Row, str], tuple[str, ...]] = {}
        self._ended_relists: Counter[str] = Counter()
        self._ended_resumes: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._running)

    def start(self, feed: Feed, *, field_selector: str = "", label_selector: str = "") -> Feed:
        """Follows what the feed is for, until it is ended; answers the feed."""
        collection = replace(feed.collection, field_selector=field_selector, label_selector=label_selector)
        timing = _ONE_BY_ONE if feed.name else Timing()
        reflector = Reflector(self._api, collection, feed, clock=self._clock, random=self._random, timing=timing)
        task = asyncio.get_running_loop().create_task(reflector.run(), name=f"follow {feed.part}")
        task.add_done_callback(_report)
        self._running[feed] = reflector, task
        feed.allowed = self._ask_again
        self._tell_missing(feed)
        return feed

    def end(self, feed: Feed) -> None:
        """Stops following, and lets go of all that the feed knew."""
        reflector, task = self._running.pop(feed)
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        self._ended_relists[feed.row.resource] += reflector.relists
        self._ended_resumes[feed.row.resource] += reflector.resumes
        feed.end()

    def note_missing(self, missing: Mapping[tuple[Row, str], tuple[str, ...]]) -> None:
        """Which permissions are missing, by row and namespace."""
        self._missing = dict(missing)
        for feed in self._running:
            self._tell_missing(feed)

    def _tell_missing(self, feed: Feed) -> None:
        feed.lacks(self._missing.get((feed.row, feed.namespace), ()))

    def renew(self) -> None:
        """Connections that were open during an outage may be dead without a sign: all are opened anew."""
        for reflector, _ in self._running.values():
            reflector.renew()

    def start_over(self) -> None:
        """The server is not the one it was: everything is listed."""
        for reflector, _ in self._running.values():
            reflector.start_over()

    def _ask_again(self) -> None:
        """Permissions come together: where one is given, what was refused besides is tried at once.

        A start waits for those answers. Else it would be ready, and answer 404, before it may see its class.
        """
        for feed, (reflector, _) in self._running.items():
            if feed.is_denied:
                feed.ask_again()
                reflector.ask_again()

    def relists(self) -> Counter[str]:
        """By resource: how often all objects had to be listed once more."""
        return self._counted(self._ended_relists, lambda reflector: reflector.relists)

    def resumes(self) -> Counter[str]:
        """By resource: how often a watch went on where the last one had ended."""
        return self._counted(self._ended_resumes, lambda reflector: reflector.resumes)

    def _counted(self, ended: Counter[str], count: Callable[[Reflector], int]) -> Counter[str]:
        counted = Counter(ended)
        for feed, (reflector, _) in self._running.items():
            counted[feed.row.resource] += count(reflector)
        return counted

    async def close(self) -> None:
        """Stops all; what was known stays known."""
        await end([*self._ending, *(task for _, task in self._running.values())])


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("%s ended, which is a defect, please report it", task.get_name(), exc_info=task.exception())
