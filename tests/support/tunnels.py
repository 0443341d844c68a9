"""Open WebSockets, or what looks like them, seen from a client: over a connection of HTTP/1 or a stream of HTTP/2."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager

from tests.support.client import Address, RawClient
from tests.support.http2 import Answer, Http2Client

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FILLER = bytes(1 << 14)
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def shake(client: RawClient) -> None:
    """Asks for the change of protocol, and sees it."""
    answer = client.send(ASK).response()
    assert answer.status == 101
    assert (answer.header("upgrade") or "").lower() == "websocket"
    assert (answer.header("connection") or "").lower() == "upgrade"


class Tunnel(AbstractContextManager["Tunnel"]):
    """An open one, seen from its client."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Sends these bytes."""

    @abstractmethod
    def exactly(self, count: int) -> bytes:
        """The next bytes."""

    @abstractmethod
    def fill(self) -> None:
        """Sends as much as it can until it has been ended: waits for that."""

    @abstractmethod
    def is_over(self) -> bool:
        """True once it has been ended: waits for that."""

    @abstractmethod
    def close(self) -> None:
        """Closes its connection at once."""

    def __exit__(self, *_: object) -> None:
        self.close()


class OverHttp1(Tunnel):
    """A connection that has changed its protocol."""

    def __init__(self, address: Address) -> None:
        self._client = RawClient(address)
        shake(self._client)

    def send(self, data: bytes) -> None:
        self._client.send(data)

    def exactly(self, count: int) -> bytes:
        return self._client.reader.exactly(count)

    def fill(self) -> None:
        while self._client.try_to_send(FILLER):
            pass

    def is_over(self) -> bool:
        return self._client.is_closed()

    def close(self) -> None:
        self._client.close()


class OverHttp2(Tunnel):
    """A stream of a connection (RFC 8441), which is its own unless another is given."""

    def __init__(self, address: Address, *, on: Http2Client | None = None) -> None:
        self._client = on or Http2Client(address)
        while not self._client.h2.remote_settings.enable_connect_protocol:
            self._client.read()
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat")]
        head += [(":authority", "test.example"), ("sec-websocket-version", "13")]
        self._stream = self._client.head(head, end=False)
        while self._answer.status == 0:
            self._client.read()
        assert self._answer.status == 200

    @property
    def _answer(self) -> Answer:
        return self._client.answers[self._stream]

    @property
    def _has_ended(self) -> bool:
        return self._answer.ended or self._answer.reset is not None or self._client.closed

    def send(self, data: bytes) -> None:
        self._client.send(self._stream, data)

    def exactly(self, count: int) -> bytes:
        while len(self._answer.body) < count:
            assert not self._has_ended
            self._client.read()
        data, self._answer.body = self._answer.body[:count], self._answer.body[count:]
        return data

    def fill(self) -> None:
        while not self._has_ended:
            if room := min(self._client.h2.local_flow_control_window(self._stream), len(FILLER)):
                self._client.send(self._stream, FILLER[:room])
            else:
                self._client.read()

    def is_over(self) -> bool:
        self._client.answer(self._stream)
        return self._has_ended

    def close(self) -> None:
        self._client.close()
