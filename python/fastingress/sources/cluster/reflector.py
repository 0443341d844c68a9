"""Follows the objects of one kind in one scope: a list, then a watch, taken up again wherever it broke off.

A list comes as a stream where the server sends one, and in pages where not. Only a server that has forgotten the
version we stopped at makes us list again. The sink is told of objects as bytes, one by one, in the loop; what is wrong
with one of them is its affair. Who may see what, and what to do without it, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import random as randomness
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec

from fastingress.api import ApiError, Unreachable
from fastingress.sources.cluster.answers import error_of
from fastingress.sources.cluster.collection import Collection
from fastingress.sources.cluster.listing import pages, selectors
from fastingress.sources.cluster.recovery import UNSUITED, Recovery
from fastingress.sources.cluster.sink import Sink
from fastingress.sources.cluster.timing import ORDINARY, Timing
from fastingress.sources.cluster.transport import Api, Silent
from fastingress.sources.cluster.trouble import Trouble, trouble_of
from fastingress.sources.cluster.wire import (
    ADDED,
    BOOKMARK,
    DELETED,
    ERROR,
    MODIFIED,
    Event,
    Garbage,
    ends_initial_events,
    event_of,
    unreadable_event_of,
    version_of,
)
from fastingress.tasks import end

__all__ = ["Collection", "Reflector", "Sink", "Timing", "Trouble"]

_log = logging.getLogger(__name__)

_SLICE = 0.002
"""Seconds of work after which others get their turn."""
_WAITED = 0.0005
"""Seconds between two lines that show that others had theirs."""


class _Unlisted(Exception):
    """A stream ended before its list was complete, in good order: the server does not send lists so."""


class Reflector:
    """Follows one collection until it is cancelled. `clock` gives seconds that never go back, `random` 0 to 1."""

    def __init__(
        self,
        api: Api,
        collection: Collection,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = randomness.random,
        page: int = 500,
        timing: Timing = ORDINARY,
    ) -> None:
        self.collection = collection
        self.version = ""
        """From which a watch goes on; empty: there has to be a list first."""
        self.is_synced = False
        """A list was complete, once."""
        self.lists = 0
        """Lists that began, with those that broke off."""
        self.relisted: Counter[str] = Counter()
        """Lists after the first complete one, by reason: `gone`, `refused`, `stuck`, `put back`, `unversioned`."""
        self.resumed: Counter[str] = Counter()
        """Watches that went on where another had ended, by reason: `ended`, `cut`, `silent`, `failed`, `renewed`."""
        self.last_heard = clock()
        """When the last line or page came."""
        self.trouble: Trouble | None = None
        self._must_tell = False
        """Whether the sink wants to know of the next trouble, or of its end, even if that is what it knows."""
        self._api = api
        self._sink = sink
        self._clock = clock
        self._random = random
        self._page = page
        self._timing = timing
        self._recovery = Recovery(timing, clock, random)
        self._attempts: asyncio.Task[None] | None = None
        self._open_since: float | None = None
        """When the list or the watch began to be answered; None before that."""
        self._listing = False
        self._seen = 0
        """Events since then."""
        self._verb = "list"
        self._why = ""
        """Why the next watch begins; empty for the first one after a list."""
        self._why_list = ""
        self._unversioned = False
        """The next watch begins with what there is, and not from a version."""
        self._garbled = b""
        self._handover: asyncio.TimerHandle | None = None
        """Ends the stream of a list when it has been a watch for as long as a watch lasts."""

    @property
    def relists(self) -> int:
        """How many lists were needed after the first complete one."""
        return sum(self.relisted.values())

    @property
    def resumes(self) -> int:
        """How many watches went on where another had ended."""
        return sum(self.resumed.values())

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self._attempts = asyncio.create_task(self._try_for_ever())
            try:
                await asyncio.wait([self._attempts])
            finally:
                await end([self._attempts])
            if not self._attempts.cancelled() and self._attempts.exception() is not None:
                _log.error("following %s failed", self.collection, exc_info=self._attempts.exception())
                await asyncio.sleep(self._timing.longest)

    def renew(self) -> None:
        """Drop what is open, or waited for, and go on at once: to be called when the server is back.

        A list that is getting on is left alone.
        """
        if not (self._listing and self._clock() - self.last_heard < self._timing.steady):
            self._restart("renewed")

    def ask_again(self) -> None:
        """Try at once what was refused; the sink is told of the answer, be it the same."""
        self._must_tell = True
        self._restart("renewed")

    def start_over(self) -> None:
        """Forget the version and list: the server is not the one it was."""
        self.version, self._unversioned, self._why_list = "", False, "put back"
        self._restart("renewed")

    def _restart(self, why: str) -> None:
        if self._attempts is not None and not self._attempts.done():
            if self._open_since is not None or not self._why:
                self._why = why
            self._recovery.works()
            self._attempts.cancel()

    async def _try_for_ever(self) -> None:
        while True:
            self._open_since, self._listing, self._seen = None, False, 0
            failure: Exception | None = None
            try:
                await (self._watch() if self._can_watch() else self._list())
            except Exception as error:  # whatever it is, it is tried again
                failure = error
            wait = self._wait_after(failure)
            if wait:
                await asyncio.sleep(wait)

    async def _list(self) -> None:
        unsuited = False
        if self._api.connection.streaming_lists:
            try:
                return await self._list_as_stream()
            except ApiError as error:
                if error.status not in UNSUITED:
                    raise
            except _Unlisted:
                pass
            unsuited = True
        await self._list_in_pages()
        if unsuited:
            self._api.connection.streaming_lists = False
        return None

    async def _list_as_stream(self) -> None:
        """The stream goes on as a watch, until one begins that is as short as all others."""
        timing, self._verb = self._timing, "watch"
        query = self._watching(timing.list, {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"})
        async with self._api.lines(self.collection.path, query=query, silent=timing.silent) as lines:
            self._begin()
            try:
                await self._follow(lines)
            finally:
                if self._handover is not None:
                    self._handover.cancel()
        if self._listing:
            raise _Unlisted

    async def _list_in_pages(self) -> None:
        self._verb = "get" if self.collection.name else "list"
        begun, version = False, ""
        async for page in pages(self._api, self.collection, self._page):
            if not begun:
                self._begin()
                begun = True
            self.last_heard = self._clock()
            await self._take_page(page.items)
            version = page.version
        self._unversioned = not version
        self._complete(version)

    async def _take_page(self, items: list[msgspec.Raw]) -> None:
        since = self._clock()
        for item in items:
            self._tell(self._sink.item, item, version_of(item))
            if self._clock() - since > _SLICE:
                await asyncio.sleep(0)
                since = self._clock()

    async def _watch(self) -> None:
        self._verb = "watch"
        seconds = self._watch_seconds()
        query = self._watching(seconds, {"resourceVersion": self.version} if self.version else {})
        async with self._api.lines(self.collection.path, query=query, silent=seconds + self._timing.slack) as lines:
            self._open_since = self._clock()
            if self._why:
                self.resumed[self._why] += 1
            self._why = ""
            try:
                await self._follow(lines)
            finally:
                self._unversioned = False

    def _can_watch(self) -> bool:
        return bool(self.version) or self._unversioned

    def _watching(self, seconds: float, more: dict[str, str]) -> dict[str, str]:
        return {
            **selectors(self.collection),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(seconds))),
            **more,
        }

    def _watch_seconds(self) -> float:
        return self._timing.watch * (0.8 + 0.2 * self._random())

    async def _follow(self, lines: AsyncIterator[bytes]) -> None:
        since = done = self._clock()
        async for line in lines:
            self.last_heard = now = self._clock()
            if now - done > _WAITED:
                since = now
            self._heed(line)
            done = self._clock()
            if done - since > _SLICE:
                await asyncio.sleep(0)
                since = done = self._clock()

    def _heed(self, line: bytes) -> None:
        kind, item, version = self._event(line)
        if kind in (ADDED, MODIFIED):
            self._tell(self._sink.item, item, version)
        elif kind == DELETED:
            self._tell(self._sink.gone, item)
        elif kind == ERROR:
            raise error_of("GET", self.collection.path, 0, {}, bytes(item))
        elif kind != BOOKMARK:
            raise Garbage(f"an event of an unknown type: {kind[:40]!r}")
        elif self._listing and ends_initial_events(item):
            self._complete(version)
            loop = asyncio.get_running_loop()
            self._handover = loop.call_later(self._watch_seconds(), self._restart, "ended")
        self._seen += 1
        if version and not self._listing and not (kind == BOOKMARK and self._unversioned):
            self.version, self._unversioned = version, False
        if self.trouble is not None:
            self._works()

    def _event(self, line: bytes) -> Event:
        """Garbage is asked for again, once; if it comes again it is an object that cannot be read."""
        try:
            return event_of(line)
        except Garbage:
            event = unreadable_event_of(line) if line == self._garbled else None
            self._garbled = line
            if event is None:
                raise
            return event

    def _begin(self) -> None:
        self._open_since, self._listing = self._clock(), True
        self.lists += 1
        if self.is_synced:
            self.relisted[self._why_list] += 1
            _log.info("listing %s again: %s", self.collection, self._why_list)
        self._tell(self._sink.began, self)

    def _complete(self, version: str) -> None:
        self._listing = False
        self.version, self.is_synced = version, True
        self._why, self._why_list = "", "unversioned"
        self._recovery.listed()
        self._works()
        self._tell(self._sink.synced, self)

    def _works(self) -> None:
        self._recovery.works()
        self._set_trouble(None)

    def _wait_after(self, failure: Exception | None) -> float:
        """What the end of a list or a watch means; seconds to wait before the next one."""
        lived = self._has_lived()
        if lived:
            self._works()
        answered = self._open_since is not None
        if answered and not self._listing and self._verb == "watch":
            self._why = _reason(failure)
        if failure is None:
            return 0.0 if lived else self._recovery.wait_for(None)
        reason = self._recovery.must_list(failure, in_stream=answered) if self._can_watch() else ""
        if reason:
            self.version, self._why_list = "", reason
            return self._recovery.wait_before_list()
        if not (lived and isinstance(failure, Unreachable)):
            self._set_trouble(trouble_of(failure, self._verb, self.collection))
        return self._recovery.wait_for(failure)

    def _has_lived(self) -> bool:
        """A list was complete, or a watch was worth its while."""
        if self._open_since is None or self._listing:
            return False
        return self._seen > 0 or self._verb != "watch" or self._clock() - self._open_since >= self._timing.steady

    def _set_trouble(self, trouble: Trouble | None) -> None:
        if trouble != self.trouble or self._must_tell:
            self.trouble, self._must_tell = trouble, False
            self._tell(self._sink.trouble, self, trouble)

    def _tell(self, listener: Callable[..., None], *words: object) -> None:
        """A mistake of the sink over one object must not keep those behind it from being seen."""
        try:
            listener(*words)
        except Exception:
            _log.exception("%s: an object could not be taken", self.collection)


def _reason(failure: Exception | None) -> str:
    """Why a watch ended."""
    if failure is None:
        return "ended"
    if isinstance(failure, Silent):
        return "silent"
    return "cut" if isinstance(failure, Unreachable) else "failed"
