"""Calls and streams of lines, in bytes, to one API server.

What goes wrong leaves here as `ApiError` or `Unreachable` and as nothing else. A lane is a client of its own, hence has
connections of its own: watches cannot starve writes, and neither can starve the lease. Credentials are kept fresh here,
for all lanes: certificates that changed make new clients, and what the old ones have under way may end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from fastingress.api import JSON, UNAUTHORIZED, ApiError, Query
from fastingress.sources.cluster.answers import Refused, Silent, Untrusted
from fastingress.sources.cluster.bodies import lines_of, refusal, whole
from fastingress.sources.cluster.client import Client, Exchange
from fastingress.sources.cluster.identity import Identity, IdentitySource, Loaded

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Api", "Connection", "Refused", "Silent"]

_log = logging.getLogger(__name__)

CONNECT_WITHIN = 5.0
"""Seconds for a connection, with its TLS."""
PATIENCE = 0.1
"""Seconds that a call waits for credentials that are loaded again before the last ones have failed."""
FORCED_AGAIN = 5.0
"""Seconds between two times that credentials are loaded because the server refused them."""


class Api:
    """One lane to the API server."""

    def __init__(self, connection: Connection, name: str, connections: int) -> None:
        self.name = name
        self.connection = connection
        self._connections = connections
        self._client: Client | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        """The body of the answer. `body` is plain data; `timeout` is in seconds, for all of it.

        Raises `ApiError` and `Unreachable`.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_WITHIN, timeout))
        async with self._answer(method, path, query, limits, body, content_type) as response:
            return await whole(response, method, path)

    @contextlib.asynccontextmanager
    async def lines(self, path: str, *, query: Query = (), silent: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET: each whole line of the answer, as it comes.

        After `silent` seconds without a byte it raises `Silent`; a line that is cut short by the end raises
        `Unreachable`, and so does a stream that breaks.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_WITHIN, silent), sock_read=silent)
        async with self._answer("GET", path, query, limits, None, JSON) as response:
            yield lines_of(response, path, silent)

    async def close(self) -> None:
        """Closes its connections; calls that are under way fail."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, path: str, query: Query, limits: aiohttp.ClientTimeout, body: object, content_type: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is a success; released when its user is done with it."""
        identity = await self.connection.identity()
        try:
            exchange = await self._exchange(identity, method, path, query, limits, body, content_type)
        except (ApiError, Refused) as failure:
            renewed = await self.connection.renewed(identity) if _may_be_stale(failure) else None
            if renewed is None:
                raise
            exchange = await self._exchange(renewed, method, path, query, limits, body, content_type)
        try:
            yield exchange.response
        finally:
            await exchange.end()

    async def _exchange(
        self,
        identity: Identity,
        method: str,
        path: str,
        query: Query,
        limits: aiohttp.ClientTimeout,
        body: object,
        content_type: str,
    ) -> Exchange:
        client = await self._current(identity)
        client.users += 1
        try:
            response = await client.send(identity, method, path, query, limits, body, content_type)
        except BaseException:
            await client.left()
            raise
        exchange = Exchange(client, response)
        if response.status < 300:
            return exchange
        try:
            raise await refusal(response, method, path)
        finally:
            await exchange.end()

    async def _current(self, identity: Identity) -> Client:
        """The client for an identity: a new one when the certificates have changed."""
        client = self._client
        if client is None or not (client.identity is identity or client.identity.same_wire(identity)):
            self._client = Client(identity, self._connections)
            if client is not None:
                await client.retire()
            return self._client
        client.identity = identity
        return client


class Connection:
    """To one API server, as one account. Hands out lanes, and keeps the credentials fresh for all of them."""

    def __init__(self, source: IdentitySource, first: Loaded, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._identity = first.identity
        self._due = clock() + first.seconds
        self._forced = float("-inf")
        self._lock = asyncio.Lock()
        self._lanes: list[Api] = []
        self._told = ""
        self._loading: asyncio.Task[None] | None = None
        self.streaming_lists = True
        """Whether the server is thought to send lists as streams; who finds out that it does not says so here."""

    @property
    def server(self) -> str:
        """The URL of the server."""
        return self._identity.server

    @property
    def namespace(self) -> str:
        """Of the account or of the context; empty when none is named."""
        return self._identity.namespace

    def lane(self, name: str, *, connections: int = 0) -> Api:
        """A client of its own with at most so many connections at once; 0: without a limit."""
        lane = Api(self, name, connections)
        self._lanes.append(lane)
        return lane

    async def close(self) -> None:
        """Closes all lanes."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.close()

    async def identity(self) -> Identity:
        """As it is now. When it is due to be loaded again and that takes long, the last one is used meanwhile."""
        if self._clock() >= self._due:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(self._load_if_due())
            await asyncio.wait([self._loading], timeout=PATIENCE)
        return self._identity

    async def renewed(self, refused: Identity) -> Identity | None:
        """Another one than the server refused; None when there is no other, or when it was asked for just now."""
        async with self._lock:
            if self._identity == refused and self._clock() >= self._forced + FORCED_AGAIN:
                self._forced = self._clock()
                await self._load(force=True)
            return None if self._identity == refused else self._identity

    async def _load_if_due(self) -> None:
        async with self._lock:
            if self._clock() >= self._due:
                await self._load(force=False)

    async def _load(self, *, force: bool) -> None:
        """What cannot be loaded now may be there in a moment: the last one is used until then."""
        try:
            loaded = await self._source.load(force=force)
        except Exception as error:
            self._due = self._clock() + FORCED_AGAIN
            if str(error) != self._told:
                _log.warning("the credentials could not be read again, the last ones are used: %s", error)
            self._told = str(error)
            return
        self._told = ""
        self._identity = loaded.identity
        self._due = self._clock() + loaded.seconds


def _may_be_stale(failure: Exception) -> bool:
    """What fresh credentials may help against."""
    return isinstance(failure, Untrusted) or (isinstance(failure, ApiError) and failure.status == UNAUTHORIZED)
