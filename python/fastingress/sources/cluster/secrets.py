"""`--secret-access=watch`: all Secrets are watched, and only the needed ones are kept.

Of the others nothing but namespace, name and version stays in memory. A Secret that becomes needed after it was seen is
fetched on its own; whatever the watch says of it meanwhile counts more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from fastingress.api import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, ApiError, Calls, Unreachable
from fastingress.objects import ObjectKey
from fastingress.problems import Problem
from fastingress.sources.cluster.feed import Feed, Key
from fastingress.sources.cluster.kinds import Row
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.watches import Watches
from fastingress.sources.cluster.words import denial, part_of
from fastingress.tasks import end

UNINTERESTING = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
_AT_ONCE = 16
_FIRST_WAIT, _LAST_WAIT, _DENIED_WAIT = 0.2, 2.0, 30.0


class SecretFeed(Feed):
    """Passes on what is needed. `met` is called with each of those that the watch says something of."""

    def __init__(
        self, row: Row, namespace: str, outbox: Outbox, *, needed: set[Key], met: Callable[[Key], None]
    ) -> None:
        super().__init__(row, namespace, outbox)
        self._needed = needed
        self._met = met

    def fetched(self, key: Key, raw: bytes) -> None:
        """A needed Secret that was seen before, whole."""
        super()._take(raw, self._held.get(key, ""))

    def _take(self, raw: bytes | msgspec.Raw, version: str) -> None:
        key = self._key(raw)
        if key is None:
            return
        if key in self._needed:
            self._met(key)
            super()._take(raw, version)
        else:
            self._note(key, version)

    def _drop(self, key: Key, *, ending: bool = False) -> None:
        if key in self._needed:
            self._met(key)
        super()._drop(key, ending=ending)

    def _is_passed_on(self, key: Key) -> bool:
        return key in self._needed


class Secrets:
    """The Secrets of the watched namespaces. Runs in one loop."""

    def __init__(self, row: Row, namespaces: tuple[str, ...], calls: Calls, watches: Watches, outbox: Outbox) -> None:
        self._row = row
        self._namespaces = namespaces or ("",)
        self._calls = calls
        self._watches = watches
        self._outbox = outbox
        self._needed: set[Key] = set()
        self._feeds: dict[str, SecretFeed] = {}
        self._fetches: dict[Key, asyncio.Task[None]] = {}
        self._unsettled: set[Key] = set()
        """Those whose first fetch has not ended yet."""
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def start(self) -> None:
        """Begins to watch, once it is known what is needed. A second time does nothing."""
        if self._feeds:
            return
        for namespace in self._namespaces:
            feed = SecretFeed(self._row, namespace, self._outbox, needed=self._needed, met=self._forget_fetch)
            self._feeds[namespace] = feed
            self._watches.start(feed, field_selector=UNINTERESTING)

    def need(self, keys: Iterable[Key]) -> None:
        """Keeps these from now on."""
        for key in keys:
            if key in self._needed:
                continue
            self._needed.add(key)
            feed = self._feed(key)
            if feed is not None and key in feed:
                self._unsettled.add(key)
                self._fetches[key] = asyncio.get_running_loop().create_task(self._fetch(key, feed))

    def unneed(self, keys: Iterable[Key]) -> None:
        """Lets go of these."""
        for key in keys:
            if key in self._needed:
                self._needed.remove(key)
                self._forget_fetch(key)
                self._outbox.delete(ObjectKey(self._row.kind, *key))
                feed = self._feed(key)
                if feed is not None:
                    feed.accuse(key, [])

    @property
    def settled(self) -> bool:
        """Whether all that was asked for is there, absent or denied, as far as it had to be fetched."""
        return not self._unsettled

    def waiting_for(self) -> list[str]:
        """What was asked for and is not there yet. The feeds speak for themselves."""
        return [f"{part_of(self._row, *key)}: not fetched yet" for key in sorted(self._unsettled)]

    async def close(self) -> None:
        """Stops fetching."""
        await end(self._fetches.values())

    async def _fetch(self, key: Key, feed: SecretFeed) -> None:
        try:
            await self._fetch_until_answered(key, feed)
        finally:
            if self._fetches.get(key) is asyncio.current_task():
                del self._fetches[key]
                self._settle(key)

    async def _fetch_until_answered(self, key: Key, feed: SecretFeed) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._slots:
                    raw = await self._calls.call("GET", f"{self._row.path(key[0])}/{key[1]}")
            except ApiError as error:
                if error.status == NOT_FOUND:
                    return  # the watch will say so, too
                is_denied = error.status in (FORBIDDEN, UNAUTHORIZED)
                feed.accuse(key, [self._denial(key) if is_denied else _failure(key, error)])
                self._settle(key)
                wait = _DENIED_WAIT if is_denied else error.retry_after or wait
            except Unreachable as error:
                feed.accuse(key, [_failure(key, error)])
            else:
                feed.fetched(key, raw)
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LAST_WAIT)

    def _feed(self, key: Key) -> SecretFeed | None:
        return self._feeds.get(key[0]) if self._namespaces != ("",) else self._feeds.get("")

    def _denial(self, key: Key) -> Problem:
        return denial(self._row, ("get",), key[0], (key[1],))

    def _forget_fetch(self, key: Key) -> None:
        task = self._fetches.pop(key, None)
        if task is not None:
            task.cancel()
            self._settle(key)

    def _settle(self, key: Key) -> None:
        self._unsettled.discard(key)
        self._outbox.stirred()


def _failure(key: Key, error: Exception) -> Problem:
    message = f"Secret {key[0]}/{key[1]} cannot be fetched, it is tried again: {error}"
    return Problem("NotFollowed", "error", None, message)
