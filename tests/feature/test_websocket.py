"""Upgrades: tunnelled until either side closes, untouched by changes."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support.backend import Exchange
from tests.support.client import Address
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.http2 import Http2Client
from tests.support.manifests import Rule, ingress, service
from tests.support.tunnels import AGREE, ASK, OverHttp1, OverHttp2, Tunnel, shake

STREAMS = 125
"""Of one connection: it may have 128."""


def agree_and_echo(exchange: Exchange) -> None:
    """Switches, then sends back whatever comes until the other side closes."""
    exchange.send(AGREE)
    while data := exchange.reader.some():
        exchange.send(data)
    exchange.close()


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


@WAYS
def test_one_whose_backend_takes_nothing_ends(spawn: Spawn, backends: Backends, way: Way) -> None:
    done = threading.Event()

    def agree_and_stop(exchange: Exchange) -> None:
        exchange.send(AGREE)
        done.wait(20)
        exchange.close()

    rule = ingress("chat", Rule("chat"), annotations={"proxy-read-timeout": "60", "proxy-send-timeout": "1"})
    process = spawn(service("chat", backends("chat", agree_and_stop)), rule, h2c=True, access_log="json")
    with way(process.http) as tunnel:
        tunnel.fill()
    done.set()
    assert process.output is not None
    assert json.loads(process.output.line("/chat"))["reason"] == "upstream_send_timeout"


@WAYS
@pytest.mark.parametrize("who", ["client", "backend"])
def test_one_in_which_one_side_talks_outlasts_the_timeouts(
    serve: Serve, backends: Backends, way: Way, who: str
) -> None:
    """Of 1 s each, while a byte goes one way every 0.3 s, for 2.4 s."""
    heard, beat = threading.Semaphore(0), threading.Event()

    def agree_and_hear(exchange: Exchange) -> None:
        exchange.send(AGREE)
        while data := exchange.reader.some():
            heard.release(len(data))
        exchange.close()

    def agree_and_talk(exchange: Exchange) -> None:
        exchange.send(AGREE)
        while not beat.wait(0.3):
            exchange.send(b"x")
        exchange.close()

    chat = service("chat", backends("chat", agree_and_hear if who == "client" else agree_and_talk))
    short = {"proxy-read-timeout": "1", "proxy-send-timeout": "1"}
    gateway = serve(chat, ingress("chat", Rule("chat"), annotations=short), h2c=True, body_timeout=1, idle_timeout=1)
    with way(gateway.http) as tunnel:
        for _ in range(8):
            if who == "client":
                tunnel.send(b"x")
                assert heard.acquire(timeout=20)
                beat.wait(0.3)
            else:
                assert tunnel.exactly(1) == b"x"
        beat.set()


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


def test_thousands_of_them_idle_in_little_memory_as_streams(spawn: Spawn, backends: Backends) -> None:
    chat = service("chat", backends("chat", agree_and_echo))
    process = spawn(chat, ingress("chat", Rule("chat")), h2c=True)
    resident = "process_resident_memory_bytes"
    with ExitStack() as stack:

        def opened(connections: int) -> list[OverHttp2]:
            clients = [stack.enter_context(Http2Client(process.http)) for _ in range(connections)]
            return [OverHttp2(process.http, on=client) for client in clients for _ in range(STREAMS)]

        warm = opened(2)
        before = process.metrics().sum(resident)
        idle = opened(16)
        grown = process.metrics().sum(resident) - before
        assert grown / len(idle) < 12 * 1024
        for tunnel in (warm[0], idle[0], idle[-1]):
            tunnel.send(b"awake")
            assert tunnel.exactly(5) == b"awake"
