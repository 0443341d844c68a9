"""Upgrades: tunnelled until either side closes, untouched by changes."""

from __future__ import annotations

import threading

import pytest

from tests.support.backend import Exchange
from tests.support.client import RawClient
from tests.support.fixtures import Backends, Serve
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


def test_changes_do_not_touch_an_open_one(serve: Serve, backends: Backends) -> None:
    backend, other = backends("chat", agree_and_echo), backends("other")
    gateway = serve(files={"chat": [service("chat", backend), ingress("chat", Rule("chat"))]})
    with gateway.connect() as client:
        shake(client)
        gateway.put("chat", service("chat", other), ingress("chat", Rule("chat")))
        gateway.until(lambda: gateway.get("/").text == "other")
        assert client.send(b"still here").reader.exactly(10) == b"still here"
        gateway.remove("chat")
        gateway.until(lambda: gateway.get("/").status == 404)
        assert client.send(b"even now").reader.exactly(8) == b"even now"


@pytest.mark.parametrize("silent", ["both", "backend stuck"])
def test_a_tunnel_in_which_nothing_moves_ends(serve: Serve, backends: Backends, silent: str) -> None:
    done = threading.Event()

    def agree(exchange: Exchange) -> None:
        exchange.send(AGREE)
        if silent == "both":
            exchange.wait_for_close()
        else:
            done.wait(20)
        exchange.close()

    timeouts = {"proxy-read-timeout": "1", "proxy-send-timeout": "60"}
    if silent == "backend stuck":
        timeouts = {"proxy-read-timeout": "60", "proxy-send-timeout": "1"}
    rule = ingress("chat", Rule("chat"), annotations=timeouts)
    gateway = serve(service("chat", backends("chat", agree)), rule)
    with gateway.connect() as client:
        shake(client)
        if silent == "backend stuck":
            while client.try_to_send(b"x" * 65536):
                pass
        else:
            assert client.is_closed()
    done.set()
