"""What a client may speak to us, as data, so that one test asks for the same over each of them.

For what a protocol has of its own there are the clients themselves: `client`, `http2`, `http3`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

import pytest

from tests.support.certificates import blind
from tests.support.client import fetch
from tests.support.gateway import Answering
from tests.support.http2 import Http2Client
from tests.support.http3 import Http3Client

HOST = "test.example"
Headers = Iterable[tuple[str, str]]


class Answered(Protocol):
    """What the answers of all clients have."""

    @property
    def body(self) -> bytes | bytearray:
        """All of it."""

    @property
    def status(self) -> int:
        """Of the final head."""

    @property
    def text(self) -> str:
        """The body as text."""

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, in small letters."""


class Spoken:
    """One protocol."""

    name: str
    """As the access log says it."""
    listener: str
    """As the metrics call it."""
    scheme = "https"

    @abstractmethod
    def ask(
        self,
        gateway: Answering,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
    ) -> Answered:
        """One request on a connection of its own."""


class Http1(Spoken):
    """HTTP/1.1 on the plain port."""

    name, listener, scheme = "HTTP/1.1", "http", "http"

    def ask(
        self,
        gateway: Answering,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
    ) -> Answered:
        return fetch(gateway.http, target, host=HOST, method=method, headers=headers, body=body)


class H2c(Spoken):
    """HTTP/2 on the plain port, by prior knowledge."""

    name, listener, scheme = "HTTP/2.0", "http", "http"

    def connect(self, gateway: Answering) -> Http2Client:
        """One connection."""
        return Http2Client(gateway.http)

    def ask(
        self,
        gateway: Answering,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
    ) -> Answered:
        with self.connect(gateway) as client:
            stream = client.request(target, host=HOST, method=method, headers=headers, end=not body)
            if body:
                client.send(stream, body, end=True)
            return client.answer(stream)


class Http2(H2c):
    """HTTP/2 over TLS."""

    listener, scheme = "https", "https"

    def connect(self, gateway: Answering) -> Http2Client:
        return Http2Client(gateway.https, tls=blind(), server_name=HOST)


class Http3(Spoken):
    """HTTP/3."""

    name, listener = "HTTP/3.0", "http3"

    def ask(
        self,
        gateway: Answering,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
    ) -> Answered:
        with Http3Client(gateway.https) as client:
            stream = client.request(target, host=HOST, method=method, headers=headers, end=not body)
            if body:
                client.send(stream, body, end=True)
            return client.answer(stream)


def _over(*each: Spoken) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("spoken", each, ids=[type(one).__name__ for one in each])


EVERY: tuple[Spoken, ...] = (Http1(), H2c(), Http2(), Http3())
OVER_ALL = _over(*EVERY)
"""A test with the argument `spoken`, once for each."""
OVER_HTTP2 = _over(H2c(), Http2())
"""The same, for both ways to HTTP/2."""
ALL: dict[str, Any] = {"h2c": True, "http3": True}
"""The options of a gateway that speaks them all."""
