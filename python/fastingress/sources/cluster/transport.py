"""The one file around the Kubernetes client: calls, and streams of lines, in bytes.

The client gives its configuration, its TLS and its requests; of its own decoding nothing is used. What goes wrong
leaves here as `ApiError` or `Unreachable` and as nothing else. A lane is a client of its own, hence has
connections of its own: watches cannot starve writes, and neither can starve the lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastingress.api import JSON, UNAUTHORIZED, ApiError, Query, Unreachable
from fastingress.sources.cluster.answers import cause_of, error_of
from fastingress.sources.cluster.identity import CredentialsError, Identity, IdentitySource, Loaded
from fastingress.sources.cluster.splitting import LineSplitter, TooLong

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)

CONNECT_WITHIN = 5.0
"""Seconds for a connection, with its TLS."""
MOST_BYTES = 256 << 20
"""Bytes that the answer to a call may have."""
MOST_BYTES_OF_AN_ERROR = 64 << 10
FORCED_AGAIN = 5.0
"""Seconds between two times that credentials are loaded because the server refused them."""
_KEEPALIVE_IDLE, _KEEPALIVE_EVERY, _KEEPALIVE_COUNT = 5, 2, 3
_UNACKNOWLEDGED_MS = 10_000
_READ_BUFFER = 1 << 18


class Refused(Unreachable):
    """There was no connection: refused, no such host, no route, no TLS."""


class Silent(Unreachable):
    """There was a connection, and nothing came on it for too long."""


class Api:
    """One lane to the API server."""

    def __init__(self, connection: Connection, name: str, connections: int) -> None:
        self.name = name
        self.connection = connection
        self._connections = connections
        self._client: _Client | None = None

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
            return await _whole(response, MOST_BYTES, method, path)

    @contextlib.asynccontextmanager
    async def lines(self, path: str, *, query: Query = (), silent: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET: each whole line of the answer, as it comes.

        After `silent` seconds without a byte it raises `Silent`; a line that is cut short by the end raises
        `Unreachable`, and so does a stream that breaks.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_WITHIN, silent), sock_read=silent)
        async with self._answer("GET", path, query, limits, None, JSON) as response:
            yield _lines(response, path, silent)

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
    ) -> _Exchange:
        client = await self._current(identity)
        client.users += 1
        try:
            response = await client.send(identity, method, path, query, limits, body, content_type)
        except BaseException:
            await client.left()
            raise
        exchange = _Exchange(client, response)
        if response.status < 300:
            return exchange
        try:
            raise await _refusal(response, method, path)
        finally:
            await exchange.end()

    async def _current(self, identity: Identity) -> _Client:
        """The client for an identity: a new one when the certificates have changed."""
        client = self._client
        if client is None or not client.identity.same_wire(identity):
            self._client = _Client(identity, self._connections)
            if client is not None:
                await client.retire()
            client = self._client
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
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.close()

    async def identity(self) -> Identity:
        """As it is now: loaded again when it is due."""
        if self._clock() >= self._due:
            async with self._lock:
                if self._clock() >= self._due:
                    await self._load(force=False)
        return self._identity

    async def renewed(self, refused: Identity) -> Identity | None:
        """Another one than the server refused; None when there is no other, or when it was asked for just now."""
        async with self._lock:
            if self._identity == refused and self._clock() >= self._forced + FORCED_AGAIN:
                self._forced = self._clock()
                await self._load(force=True)
            return None if self._identity == refused else self._identity

    async def _load(self, *, force: bool) -> None:
        """What cannot be loaded now may be there in a moment: the last one is used until then."""
        try:
            loaded = await self._source.load(force=force)
        except CredentialsError as error:
            self._due = self._clock() + FORCED_AGAIN
            if str(error) != self._told:
                _log.warning("the credentials could not be read again, the last ones are used: %s", error)
            self._told = str(error)
            return
        self._told = ""
        self._identity = loaded.identity
        self._due = self._clock() + loaded.seconds


class _Untrusted(Refused):
    """The certificate of the server, or ours, was refused."""


class _Client:
    """The client library's client, with the TLS of one identity."""

    def __init__(self, identity: Identity, connections: int) -> None:
        self.identity = identity
        self.users = 0
        self.retired = False
        try:
            self._client, self._connector = _make(identity, connections)
        except (OSError, ValueError) as error:
            raise Refused(f"{identity.server}: the certificates of the credentials cannot be used: {error}") from None

    async def send(
        self,
        identity: Identity,
        method: str,
        path: str,
        query: Query,
        limits: aiohttp.ClientTimeout,
        body: object,
        content_type: str,
    ) -> aiohttp.ClientResponse:
        import aiohttp
        import yarl

        headers = {"Accept": JSON, "Accept-Encoding": "identity", "Content-Type": content_type}
        if identity.authorization:
            headers["Authorization"] = identity.authorization
        try:
            parameters = dict(query) if isinstance(query, Mapping) else list(query)
            method, url, headers, body, _ = await self._client.param_serialize(
                method, path, query_params=parameters, header_params=headers, body=body
            )
            target = yarl.URL(url, encoded=True)
            answer = await self._client.call_api(method, target, headers, body, _request_timeout=limits)
        except (ssl.SSLError, aiohttp.ClientSSLError) as error:
            raise _Untrusted(f"{method} {path}: {self.identity.server}: {cause_of(error)}") from None
        except aiohttp.ClientConnectorError as error:
            raise Refused(f"{method} {path}: {self.identity.server}: {cause_of(error)}") from None
        except asyncio.TimeoutError as error:
            raise Silent(f"{method} {path}: {self.identity.server}: {cause_of(error)}") from None
        except Exception as error:  # the client library raises much, and none of it is to leave this file
            raise Unreachable(f"{method} {path}: {self.identity.server}: {cause_of(error)}") from None
        response: aiohttp.ClientResponse = answer.response
        return response

    async def left(self) -> None:
        """One user less; the last one of a retired client closes it."""
        self.users -= 1
        if self.retired and not self.users:
            await self.close()

    async def retire(self) -> None:
        """There is a newer one: what is under way here may end."""
        self.retired = True
        if not self.users:
            await self.close()

    async def close(self) -> None:
        await self._client.close()
        await self._connector.close()


class _Exchange:
    """An answer that is being read, and the client that it holds on to."""

    def __init__(self, client: _Client, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._client = client

    async def end(self) -> None:
        """Its connection is used again if the answer was read to its end, and closed if not."""
        if self.response.content.at_eof():
            self.response.release()
        else:
            self.response.close()
        await self._client.left()


def _make(identity: Identity, connections: int) -> tuple[Any, Any]:
    """Imports the client library: that takes half a second, so only who speaks to a cluster pays for it."""
    import aiohttp
    from kubernetes.aio.client import ApiClient, Configuration

    configuration = Configuration(
        host=identity.server,
        ca_cert_data=identity.ca or None,
        cert_file=identity.certificate or None,
        key_file=identity.key or None,
        verify_ssl=identity.verify,
        tls_server_name=identity.server_name or None,
        proxy=identity.proxy or None,
        connection_pool_maxsize=connections,
    )
    # Authorities of clusters lack extensions that Python 3.13 asks for by default; other clients do not.
    configuration.disable_strict_ssl_verification = True
    client = ApiClient(configuration)
    client.user_agent = _user_agent()
    connector = aiohttp.TCPConnector(
        limit=connections, ssl=client.rest_client.ssl_context, socket_factory=_socket, keepalive_timeout=30.0
    )
    # Proxies, and passwords of .netrc, come from the credentials only, never from the environment.
    configuration.client_session_kwargs = {"connector": connector, "trust_env": False, "read_bufsize": _READ_BUFFER}
    return client, connector


def _user_agent() -> str:
    try:
        return f"fastingress/{importlib.metadata.version('fastingress')}"
    except importlib.metadata.PackageNotFoundError:
        return "fastingress"


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices a dead peer within seconds, whether it waits for an answer or has something to send."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_EVERY)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_COUNT)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return made


def _may_be_stale(failure: Exception) -> bool:
    """What fresh credentials may help against."""
    return isinstance(failure, _Untrusted) or (isinstance(failure, ApiError) and failure.status == UNAUTHORIZED)


async def _refusal(response: aiohttp.ClientResponse, method: str, path: str) -> ApiError:
    """What an answer says that is no success; what of it does not come in time is left out."""
    body = b""
    with contextlib.suppress(Unreachable, asyncio.TimeoutError):
        body = await asyncio.wait_for(_whole(response, MOST_BYTES_OF_AN_ERROR, method, path), CONNECT_WITHIN)
    return error_of(method, path, response.status, response.headers, body)


async def _whole(response: aiohttp.ClientResponse, most: int, method: str, path: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                raise Unreachable(f"{method} {path}: an answer of more than {most} bytes")
    except Unreachable:
        raise
    except asyncio.TimeoutError as error:
        raise Silent(f"{method} {path}: {cause_of(error)}") from None
    except Exception as error:
        raise Unreachable(f"{method} {path}: the answer broke off: {cause_of(error)}") from None
    return b"".join(parts)


async def _lines(response: aiohttp.ClientResponse, path: str, silent: float) -> AsyncIterator[bytes]:
    """What its user raises does not come through here, so all that is caught is the connection's."""
    splitter = LineSplitter()
    content = response.content
    while True:
        try:
            lines = splitter.feed(await content.readany())
            ended = not lines and content.at_eof()
        except asyncio.TimeoutError:
            raise Silent(f"GET {path}: nothing came for {silent:.3g} s") from None
        except TooLong as error:
            raise Unreachable(f"GET {path}: {error}") from None
        except Exception as error:
            raise Unreachable(f"GET {path}: the stream broke off: {cause_of(error)}") from None
        for line in lines:
            yield line
        if ended:
            break
    if splitter.rest():
        raise Unreachable(f"GET {path}: the stream ended within a line")
