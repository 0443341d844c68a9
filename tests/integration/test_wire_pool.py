"""Backends that close at the worst moment: each POST runs at most once, each GET succeeds."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

REQUESTS = 200
CLIENTS = 4
REPEATED = 6
"""Half of them are tried again: no more than the budget always allows in a second."""


class Closing:
    """Closes a used connection: at the sight of a request, after reading it, within the answer, or right behind it.

    A connection's first request is always answered. `ran` counts the requests that were read whole.
    """

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self._used: set[int] = set()
        self._turn = itertools.cycle(range(6))
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        key = id(exchange.reader)
        with self._lock:
            fresh = key not in self._used
            self._used.add(key)
            turn = 0 if fresh else next(self._turn)
        if turn == 1:  # after the head, before the body
            exchange.close()
            return
        if turn == 2:
            exchange.reset()
            return
        exchange.read_body()
        with self._lock:
            self.ran[exchange.request.target] += 1
        if turn == 3:  # after the request
            exchange.close()
        elif turn == 4:  # within the answer's head
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            exchange.close()
        elif turn == 5:  # after the answer, which does not tell
            exchange.answer(200, b"done")
            exchange.close()
        else:
            exchange.answer(200, b"done")


def ask_all(address: tuple[str, int], method: str) -> dict[str, int]:
    """Statuses by target, of requests by several clients, each on one connection while that lasts."""
    statuses: dict[str, int] = {}

    def ask(number: int) -> None:
        client = RawClient(address)
        for request in range(REQUESTS // CLIENTS):
            target = f"/{number}/{request}"
            answer = client.send(
                request_bytes(method, target=target, body=b"x" if method == "POST" else b"")
            ).response()
            statuses[target] = answer.status
            if answer.header("connection") == "close":
                client.close()
                client = RawClient(address)
        client.close()

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert len(statuses) == REQUESTS, "a client got no answer"
    return statuses


@pytest.mark.parametrize("workers", [1, 2])
def test_each_post_runs_at_most_once_and_its_answer_tells(serve: Serve, backends: Backends, workers: int) -> None:
    closing = Closing()
    gateway = serve(service("web", backends("web", closing)), ingress("web", Rule("web")), workers=workers)
    statuses = ask_all(gateway.http, "POST")
    assert set(closing.ran.values()) == {1}
    assert set(statuses.values()) == {200, 502}
    answered = {target for target, status in statuses.items() if status == 200}
    assert answered <= set(closing.ran)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_get_succeeds(serve: Serve, backends: Backends, workers: int) -> None:
    closing = Closing()
    gateway = serve(service("web", backends("web", closing)), ingress("web", Rule("web")), workers=workers)
    assert set(ask_all(gateway.http, "GET").values()) == {200}


@contextmanager
def resetting() -> Iterator[str]:
    """An endpoint that accepts and resets at once."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_endpoint_that_resets_at_once_never_mutilates_a_body(
    serve: Serve, backends: Backends, method: str, chunked: bool
) -> None:
    def echo(exchange: Exchange) -> None:
        exchange.answer(200, exchange.read_body())

    good = backends("good", echo)
    with resetting() as bad:
        gateway = serve(service("web", bad, good), ingress("web", Rule("web")), workers=1)
        for number in range(REPEATED):
            body = f"body {number}".encode()
            framed = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            answer = gateway.get(
                "/",
                method=method,
                body=framed if chunked else body,
                headers=[("Transfer-Encoding", "chunked")] if chunked else [],
            )
            assert (answer.status, answer.body) == (200, body) or answer.status == 502
    assert all(request.body.startswith(b"body ") for request in good.requests)
    if method == "PUT":
        assert len(good.requests) == REPEATED, "so few retries are always within the budget"


def test_pipelined_requests_survive_a_failed_one(serve: Serve, backends: Backends) -> None:
    """What a client has sent behind a request is not lost with the backend of that request."""
    closing = Closing()
    gateway = serve(service("web", backends("web", closing)), ingress("web", Rule("web")), workers=1)
    with gateway.connect() as client:
        for _ in range(10):
            client.send(b"".join(request_bytes(target=f"/{number}") for number in range(10)))
            assert [client.response().status for _ in range(10)] == [200] * 10
