"""Server-sent events and other answers that trickle: bytes leave as they come."""

from __future__ import annotations

import threading

from tests.support.backend import Exchange
from tests.support.client import request_bytes
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_each_event_arrives_before_the_next_is_sent(serve: Serve, backends: Backends) -> None:
    seen = threading.Semaphore(0)

    def events(exchange: Exchange) -> None:
        exchange.send(HEAD)
        for number in range(5):
            event = f"data: {number}\n\n".encode()
            exchange.send(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            assert seen.acquire(timeout=20), "the client did not get the event"
        exchange.send(b"0\r\n\r\n")

    backend = backends("events", events)
    gateway = serve(service("events", backend), ingress("events", Rule("events")))
    with gateway.connect() as client:
        client.send(request_bytes())
        assert client.reader.head() is not None
        for number in range(5):
            event = f"data: {number}\n\n".encode()
            assert client.reader.line() == f"{len(event):x}".encode()
            assert client.reader.exactly(len(event) + 2) == event + b"\r\n"
            seen.release()
        assert client.reader.exactly(5) == b"0\r\n\r\n"


def test_a_client_that_leaves_in_the_middle_lets_the_backend_go(serve: Serve, backends: Backends) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.send(HEAD + b"5\r\nhello\r\n")
        exchange.wait_for_close()
        exchange.close()

    backend = backends("events", endless)
    gateway = serve(service("events", backend), ingress("events", Rule("events")))
    with gateway.connect() as client:
        client.send(request_bytes())
        assert client.reader.head() is not None
        assert client.reader.exactly(10) == b"5\r\nhello\r\n"
        assert backend.open_connections == 1
    gateway.until(lambda: backend.open_connections == 0)
