"""Upgrades: tunnelled until either side closes, untouched by changes."""

from __future__ import annotations

import signal
import threading
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest

from tests.support.backend import Exchange
from tests.support.client import Address, RawClient
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.http2 import Answer, Http2Client
from tests.support.manifests import Rule, ingress, service

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def agree_and_echo(exchange: Exchange) -> None:
    """Switches, then sends back whatever comes until the other side closes."""
    exchange.send(AGREE)
    while data := exchange.reader.some():
        exchange.send(data)
    exchange.close()


def shake(client: RawClient) -> None:
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

    def is_over(self) -> bool:
        return self._client.is_closed()

    def close(self) -> None:
        self._client.close()


class OverHttp2(Tunnel):
    """A stream of a connection (RFC 8441)."""

    def __init__(self, address: Address) -> None:
        self._client = Http2Client(address)
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

    def send(self, data: bytes) -> None:
        self._client.send(self._stream, data)

    def exactly(self, count: int) -> bytes:
        while len(self._answer.body) < count:
            assert not self._client.closed
            self._client.read()
        data, self._answer.body = self._answer.body[:count], self._answer.body[count:]
        return data

    def is_over(self) -> bool:
        answer = self._client.answer(self._stream)
        return answer.ended or answer.reset is not None or self._client.closed

    def close(self) -> None:
        self._client.close()


WAYS = pytest.mark.parametrize("way", [OverHttp1, OverHttp2])
Way = Callable[[Address], Tunnel]


@WAYS
def test_draining_serves_it_on_until_the_time_is_up(spawn: Spawn, backends: Backends, way: Way) -> None:
    rule = ingress("chat", Rule("chat"))
    chat = service("chat", backends("chat", agree_and_echo))
    process = spawn(chat, rule, h2c=True, shutdown_delay=0, drain_timeout=2)
    with way(process.http) as tunnel:
        process.signal(signal.SIGTERM)
        eventually(lambda: process.errors.line("draining"))
        tunnel.send(b"still here")
        assert tunnel.exactly(10) == b"still here"
        assert tunnel.is_over()
    assert process.exit_status() == 0


def test_bytes_go_both_ways_until_the_client_closes(serve: Serve, backends: Backends) -> None:
    backend = backends("chat", agree_and_echo)
    gateway = serve(service("chat", backend), ingress("chat", Rule("chat")))
    with gateway.connect() as client:
        shake(client)
        for message in (b"\x00one", b"two" * 50_000):
            client.send(message)
            assert client.reader.exactly(len(message)) == message
    assert backend.last.header("upgrade") == "websocket"
    gateway.until(lambda: backend.open_connections == 0)


def test_bytes_sent_with_the_request_are_not_lost(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("chat", backends("chat", agree_and_echo)), ingress("chat", Rule("chat")))
    with gateway.connect() as client:
        client.send(ASK + b"early")
        assert client.response().status == 101
        assert client.reader.exactly(5) == b"early"


def test_the_backend_may_close(serve: Serve, backends: Backends) -> None:
    def agree_and_leave(exchange: Exchange) -> None:
        exchange.send(AGREE + b"bye")
        exchange.close()

    gateway = serve(service("chat", backends("chat", agree_and_leave)), ingress("chat", Rule("chat")))
    with gateway.connect() as client:
        shake(client)
        assert client.rest() == b"bye"


def test_a_refused_upgrade_is_an_ordinary_answer(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("chat", backends("chat")), ingress("chat", Rule("chat")))
    with gateway.connect() as client:
        assert client.send(ASK).response().text == "chat"


@WAYS
def test_changes_do_not_touch_an_open_one(serve: Serve, backends: Backends, way: Way) -> None:
    backend, other = backends("chat", agree_and_echo), backends("other")
    gateway = serve(files={"chat": [service("chat", backend), ingress("chat", Rule("chat"))]}, h2c=True)
    with way(gateway.http) as tunnel:
        gateway.put("chat", service("chat", other), ingress("chat", Rule("chat")))
        gateway.until(lambda: gateway.get("/").text == "other")
        tunnel.send(b"still here")
        assert tunnel.exactly(10) == b"still here"
        gateway.remove("chat")
        gateway.until(lambda: gateway.get("/").status == 404)
        tunnel.send(b"even now")
        assert tunnel.exactly(8) == b"even now"


@WAYS
def test_one_in_which_nothing_moves_ends(serve: Serve, backends: Backends, way: Way) -> None:
    rule = ingress("chat", Rule("chat"), annotations={"proxy-read-timeout": "1", "proxy-send-timeout": "60"})
    gateway = serve(service("chat", backends("chat", agree_and_echo)), rule, h2c=True)
    with way(gateway.http) as tunnel:
        assert tunnel.is_over()


def test_one_whose_backend_takes_nothing_ends(serve: Serve, backends: Backends) -> None:
    done = threading.Event()

    def agree_and_stop(exchange: Exchange) -> None:
        exchange.send(AGREE)
        done.wait(20)
        exchange.close()

    rule = ingress("chat", Rule("chat"), annotations={"proxy-read-timeout": "60", "proxy-send-timeout": "1"})
    gateway = serve(service("chat", backends("chat", agree_and_stop)), rule)
    with gateway.connect() as client:
        shake(client)
        while client.try_to_send(b"x" * 65536):
            pass
    done.set()


def test_thousands_of_them_idle_in_little_memory(spawn: Spawn, backends: Backends) -> None:
    chat = service("chat", backends("chat", agree_and_echo))
    process = spawn(chat, ingress("chat", Rule("chat")), h2c=True)
    resident = "process_resident_memory_bytes"
    with ExitStack() as stack:
        warm = [stack.enter_context(OverHttp1(process.http)) for _ in range(200)]
        before = process.metrics().sum(resident)
        idle = [stack.enter_context(OverHttp1(process.http)) for _ in range(2000)]
        grown = process.metrics().sum(resident) - before
        assert grown / len(idle) < 16 * 1024
        for tunnel in (warm[0], idle[0], idle[-1]):
            tunnel.send(b"awake")
            assert tunnel.exactly(5) == b"awake"
