"""The one file around the Kubernetes client: its configuration, its TLS and its requests, and nothing of its decoding.

What it raises ends here. It is imported when the first lane speaks, since that alone takes half a second: who serves
manifests does not pay for it.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastingress.api import JSON, Query, Unreachable
from fastingress.sources.cluster.answers import Refused, Silent, Untrusted, cause_of
from fastingress.sources.cluster.identity import Identity

if TYPE_CHECKING:
    import aiohttp

_KEEPALIVE_IDLE, _KEEPALIVE_EVERY, _KEEPALIVE_COUNT = 5, 2, 3
_UNACKNOWLEDGED_MS = 10_000
_READ_BUFFER = 1 << 18


class Client:
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
        """The head of an answer, of any status. Raises `Unreachable` and what derives from it."""
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
            raise Untrusted(f"{method} {path}: {self.identity.server}: {cause_of(error)}") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
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
        """Closes its connections."""
        await self._client.close()
        await self._connector.close()


class Exchange:
    """An answer that is being read, and the client that it holds on to."""

    def __init__(self, client: Client, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._client = client

    async def end(self) -> None:
        """Closes its connection, unless the answer was read to its end: then it is in the pool again already."""
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
        limit=connections, ssl=client.rest_client.ssl_context, socket_factory=open_socket, keepalive_timeout=30.0
    )
    # Proxies, and passwords of .netrc, come from the credentials only, never from the environment.
    configuration.client_session_kwargs = {"connector": connector, "trust_env": False, "read_bufsize": _READ_BUFFER}
    return client, connector


def _user_agent() -> str:
    try:
        return f"fastingress/{importlib.metadata.version('fastingress')}"
    except importlib.metadata.PackageNotFoundError:
        return "fastingress"


def open_socket(address: tuple[Any, ...]) -> socket.socket:
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
