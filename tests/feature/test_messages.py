"""HTTP/1 messages through the gateway: connections kept, bodies of every framing, interim answers, old clients."""

from __future__ import annotations

import pytest

from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.manifests import Rule, ingress, service

BODY = bytes(range(256)) * 40


def echo(exchange: Exchange) -> None:
    exchange.answer(200, exchange.read_body())


def never_answer(exchange: Exchange) -> None:
    exchange.wait_for_close()
    exchange.close()


@pytest.fixture
def gateway(serve: Serve, backends: Backends) -> Served:
    return serve(service("web", backends("web", echo)), ingress("web", Rule("web")))


def serving(serve: Serve, backends: Backends, raw: bytes, *, close: bool = False) -> Served:
    """A gateway before a backend that answers with exactly these bytes."""

    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(raw)
        if close:
            exchange.close()

    return serve(service("web", backends("web", answer)), ingress("web", Rule("web")))


def test_a_connection_serves_many_requests(gateway: Served) -> None:
    with gateway.connect() as client:
        for number in range(5):
            body = f"request {number}".encode()
            assert client.send(request_bytes("POST", body=body)).response().body == body


def test_pipelined_requests_are_answered_in_order(gateway: Served) -> None:
    bodies = [f"request {number}".encode() for number in range(10)]
    with gateway.connect() as client:
        client.send(b"".join(request_bytes("POST", body=body) for body in bodies))
        assert [client.response().body for _ in bodies] == bodies


def test_connection_close_is_kept(gateway: Served) -> None:
    with gateway.connect() as client:
        answer = client.send(request_bytes(headers=[("Connection", "close")])).response()
        assert answer.header("connection") == "close"
        assert client.is_closed()


def test_http_1_0_closes_unless_asked(gateway: Served) -> None:
    with gateway.connect() as client:
        answer = client.send(b"GET / HTTP/1.0\r\n\r\n").response()
        assert answer.status == 200
        assert client.is_closed()
    with gateway.connect() as client:
        asked = b"GET / HTTP/1.0\r\nHost: test.example\r\nConnection: keep-alive\r\n\r\n"
        assert (client.send(asked).response().header("connection") or "").lower() == "keep-alive"
        assert client.send(asked).response().status == 200


def test_http_1_0_never_sees_chunks(serve: Serve, backends: Backends) -> None:
    gateway = serving(serve, backends, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    with gateway.connect() as client:
        answer = client.send(b"GET / HTTP/1.0\r\nHost: test.example\r\n\r\n").response()
    assert answer.header("transfer-encoding") is None
    assert answer.body == b"hello"


@pytest.mark.parametrize(("status", "length"), [(200, 5), (204, 0), (304, 5)])
def test_head_and_bodiless_statuses_have_no_body(serve: Serve, backends: Backends, status: int, length: int) -> None:
    gateway = serving(serve, backends, f"HTTP/1.1 {status} Fine\r\nContent-Length: {length}\r\n\r\n".encode())
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.send(request_bytes("HEAD")).response("HEAD")
            assert (answer.status, answer.body) == (status, b"")


def test_a_chunked_request_reaches_the_backend_with_its_trailers(serve: Serve, backends: Backends) -> None:
    backend = backends("web", echo)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    raw = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Check: abc\r\n\r\n"
    answer = gateway.get("/", method="POST", headers=[("Transfer-Encoding", "chunked")], body=raw)
    assert answer.body == b"hello world"
    assert backend.last.trailers == [("X-Check", "abc")]


def test_a_chunked_answer_reaches_the_client_with_its_trailers(serve: Serve, backends: Backends) -> None:
    gateway = serving(
        serve,
        backends,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-Check: abc\r\n\r\n",
    )
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.send(request_bytes(headers=[("TE", "trailers")])).response()
            assert (answer.body, answer.trailers) == (b"hello", [("X-Check", "abc")])


def test_an_answer_until_close_is_whole_and_the_next_request_works(serve: Serve, backends: Backends) -> None:
    gateway = serving(serve, backends, b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)
    for _ in range(2):
        assert gateway.get("/").body == b"until the end"


def test_interim_answers_pass(serve: Serve, backends: Backends) -> None:
    gateway = serving(
        serve,
        backends,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    answer = gateway.get("/")
    assert answer.body == b"ok"
    assert [hint.header("link") for hint in answer.interim] == ["</a.css>"]


def test_expect_100_continue_waits_for_the_word(gateway: Served) -> None:
    with gateway.connect() as client:
        head = request_bytes("POST", headers=[("Expect", "100-continue"), ("Content-Length", "5")])
        client.send(head.replace(b"Content-Length: 0\r\n", b""))
        assert client.reader.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.send(b"hello").response().body == b"hello"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000])
def test_bodies_of_many_sizes_come_back_as_they_went(gateway: Served, size: int) -> None:
    body = (BODY * (size // len(BODY) + 1))[:size]
    assert gateway.get("/", method="POST", body=body).body == body


def test_a_request_may_come_byte_by_byte(gateway: Served) -> None:
    with gateway.connect() as client:
        answer = client.drip(request_bytes("POST", body=b"slowly")).response()
    assert answer.body == b"slowly"


def test_big_heads_pass_both_ways(serve: Serve, backends: Backends) -> None:
    cookie = "c" * 30_000
    backend = backends("web", lambda exchange: exchange.answer(headers=[("Set-Cookie", cookie)]))
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    answer = gateway.get("/", headers=[("Cookie", cookie)])
    assert answer.header("set-cookie") == cookie
    assert backend.last.header("cookie") == cookie


def test_a_client_that_leaves_lets_the_backend_go(serve: Serve, backends: Backends) -> None:
    backend = backends("web", never_answer)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with RawClient(gateway.http) as client:
        client.send(request_bytes())
        gateway.until(lambda: backend.open_connections == 1)
    gateway.until(lambda: backend.open_connections == 0)
