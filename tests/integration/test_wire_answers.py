"""What a backend answers and what the client then reads: exactly the expected bytes, or a 502, split at every byte."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest

from tests.support import corpus
from tests.support.backend import Exchange, Handler
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import DEADLINE
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.manifests import Rule, ingress, service
from tests.support.split import places

_DATE = re.compile(rb"date: [^\r]*\r\n")
ASK_TO_SWITCH = [("Connection", "upgrade"), ("Upgrade", "websocket")]

HINTS = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Busy\r\n\r\n"
FINE = b"HTTP/1.1 200 Fine\r\n"
CLOSE = b"Connection: close\r\n\r\n"

# What a backend sends, and what a client of HTTP/1.1 and one of HTTP/1.0 read; without the Date that is added.
PASSED: dict[str, tuple[bytes, bytes, bytes]] = {
    "a length": (
        FINE + b"X-Any: x\r\ncontent-length: 005\r\nKeep-Alive: 5\r\n\r\nhello",
        FINE + b"X-Any: x\r\nContent-Length: 5\r\n" + CLOSE + b"hello",
        FINE + b"X-Any: x\r\nContent-Length: 5\r\n" + CLOSE + b"hello",
    ),
    "chunks": (
        FINE + b"Transfer-Encoding: CHUNKED\r\n\r\n005;x\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n",
        FINE + b"Transfer-Encoding: chunked\r\n" + CLOSE + b"5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n",
        FINE + CLOSE + b"hello!",
    ),
    "a bodiless status": (
        b"HTTP/1.1 304 Same\r\nETag: x\r\nContent-Length: 50\r\n\r\n",
        b"HTTP/1.1 304 Same\r\nETag: x\r\nContent-Length: 50\r\n" + CLOSE,
        b"HTTP/1.1 304 Same\r\nETag: x\r\nContent-Length: 50\r\n" + CLOSE,
    ),
    "interim answers": (
        HINTS + FINE + b"Content-Length: 2\r\n\r\nhi",
        HINTS + FINE + b"Content-Length: 2\r\n" + CLOSE + b"hi",
        FINE + b"Content-Length: 2\r\n" + CLOSE + b"hi",
    ),
}

# Broken from the start: the client reads a 502 and nothing else.
NONSENSE: dict[str, bytes] = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 5\r\n\r\nhello",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nX: y\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nhello",
    "a switch that nobody asked for": b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    "a head that ends early": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "an interim answer with a body": b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello",
}

# Broken later: the client reads what came before the fault and then the end of its connection, never that of a message.
CUT: dict[str, bytes] = {
    "a short length": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "a short chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a chunk size with a sign": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n+0\r\n\r\n",
    "a chunk that goes on": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "a length for a trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
}


def without_date(answer: bytes) -> bytes:
    return _DATE.sub(b"", answer)


def split_by_target(answer: bytes) -> Handler:
    """Answers `/N` with `answer` split after N bytes; the second parts go when all first ones have gone."""
    every = threading.Barrier(len(places(len(answer))))

    def handle(exchange: Exchange) -> None:
        exchange.read_body()
        at = int(exchange.request.target.removeprefix("/"))
        exchange.send(answer[:at])
        every.wait(DEADLINE)
        exchange.send(answer[at:])
        exchange.close()

    return handle


def all_splits(
    serve: Serve, backends: Backends, answer: bytes, read: Callable[[RawClient], None], request: Callable[[int], bytes]
) -> None:
    gateway = serve(service("web", backends("web", split_by_target(answer))), ingress("web", Rule("web")))
    clients = [RawClient(gateway.http) for _ in places(len(answer))]
    try:
        for at, client in zip(places(len(answer)), clients, strict=True):
            client.send(request(at))
        for client in clients:
            read(client)
    finally:
        for client in clients:
            client.close()


def get(at: int) -> bytes:
    return request_bytes(target=f"/{at}", headers=[("Connection", "close")])


def post(at: int) -> bytes:
    return request_bytes("POST", target=f"/{at}")


def answering(serve: Serve, backends: Backends, answer: bytes) -> Served:
    def handle(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(answer)
        exchange.close()

    return serve(service("web", backends("web", handle)), ingress("web", Rule("web")))


@pytest.mark.parametrize("case", list(PASSED))
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_the_client_reads_the_expected_bytes(serve: Serve, backends: Backends, case: str, version: str) -> None:
    answer, for_new, for_old = PASSED[case]
    expected = for_new if version == "1.1" else for_old

    def read(client: RawClient) -> None:
        assert without_date(client.rest()) == expected

    all_splits(serve, backends, answer, read, lambda at: get(at).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))


@pytest.mark.parametrize("case", list(NONSENSE))
def test_nonsense_is_502_and_nothing_of_it_is_read(serve: Serve, backends: Backends, case: str) -> None:
    def read(client: RawClient) -> None:
        answer = client.response("POST")
        assert answer.status == 502
        assert b"hello" not in answer.raw_head + answer.body + client.rest()

    all_splits(
        serve,
        backends,
        NONSENSE[case],
        read,
        lambda at: post(at).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    )


@pytest.mark.parametrize("case", list(CUT))
def test_an_answer_that_breaks_off_is_never_made_whole(serve: Serve, backends: Backends, case: str) -> None:
    def read(client: RawClient) -> None:
        received = client.rest()
        assert not received.endswith(b"0\r\n\r\n")
        assert len(received.partition(b"\r\n\r\n")[2]) < 50

    all_splits(serve, backends, CUT[case], read, post)


def test_the_whole_corpus_of_answers_is_refused_or_passed_on_the_wire_too(serve: Serve, backends: Backends) -> None:
    cases = corpus.cases("responses")

    def handle(exchange: Exchange) -> None:
        exchange.send(cases[int(exchange.request.target.removeprefix("/"))].sent)
        exchange.close()

    backend = backends("web", handle)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    for number, case in enumerate(cases):
        extra = ASK_TO_SWITCH if case.upgrade else []
        # A method that is not repeated, and so does not use up the retries of all.
        method = case.method if case.method == "HEAD" or case.upgrade else "POST"
        answer = gateway.get(f"/{number}", method=method, headers=extra)
        expected = 502 if case.head_is_refused else int(case.outcome.split(" ")[0])
        if "interim" in case.outcome:
            expected = 200 if "rest=HTTP/1.1 200" in case.outcome else 502
        assert answer.status == expected, case.about
        # A close that is still on its way could meet the next request, which is not repeated.
        gateway.until(lambda: backend.open_connections == 0)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Same\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ],
    ids=["HEAD", "304", "a length", "chunks"],
)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
def test_what_follows_an_answer_never_answers_the_next_request(
    serve: Serve, backends: Backends, method: str, answer: bytes, late: bool
) -> None:
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
    go_on, gone_on = threading.Event(), threading.Event()

    def handle(exchange: Exchange) -> None:
        if exchange.request.target == "/next":
            exchange.answer(200, b"right")
            return
        exchange.send(answer if late else answer + poison)
        assert go_on.wait(DEADLINE)
        if late:
            exchange.send(poison)
        gone_on.set()

    gateway = serve(service("web", backends("web", handle)), ingress("web", Rule("web")), workers=1)
    with gateway.connect() as client:
        client.send(request_bytes(method))
        assert client.response(method).status in (200, 304)
        go_on.set()
        assert gone_on.wait(DEADLINE)
        for _ in range(3):
            assert client.send(request_bytes(target="/next")).response().text == "right"


def test_a_head_without_end_and_one_too_large_are_502(serve: Serve, backends: Backends) -> None:
    gateway = answering(serve, backends, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000)
    assert gateway.get("/", method="POST").status == 502
