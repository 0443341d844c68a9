"""Answers before the end of a request, words in between, clients that leave: nobody reads a reset, nobody waits."""

from __future__ import annotations

import threading

import pytest

from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import DEADLINE
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.http1 import Response
from tests.support.manifests import Rule, ingress, service
from tests.support.metrics import Metrics

MIB = 1 << 20
UPLOAD = 100 * MIB
HOST = b"Host: test.example\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_LIMIT = {"proxy-body-size": "0"}


def refuse_early(exchange: Exchange) -> None:
    """413 at the sight of the head; then closes with the body unread, which makes the kernel send a reset."""
    exchange.answer(413, b"too much")
    exchange.close()


def upload(gateway: Served, *, chunked: bool) -> Response:
    """Sends 100 MB and looks for an answer only then, as simple clients do."""
    block = b"x" * MIB
    framed = b"%x\r\n" % len(block) + block + b"\r\n" if chunked else block
    head = b"POST / HTTP/1.1\r\n" + HOST + (CHUNKED if chunked else b"Content-Length: %d\r\n" % UPLOAD) + b"\r\n"
    with gateway.connect() as client:
        client.send(head)
        for _ in range(UPLOAD // MIB):
            client.send(framed)
        answer = client.response("POST")
        client.finish_sending()
        assert client.rest() == b""
    return answer


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
def test_an_upload_over_the_limit_reads_413(serve: Serve, backends: Backends, chunked: bool) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    answer = upload(gateway, chunked=chunked)
    assert (answer.status, answer.header("connection")) == (413, "close")
    assert len(backend.received) < 2 * MIB
    gateway.until(lambda: backend.open_connections == 0)


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
def test_an_upload_that_the_backend_refuses_early_reads_413(serve: Serve, backends: Backends, chunked: bool) -> None:
    gateway = serve(service("web", backends("web", refuse_early)), ingress("web", Rule("web"), annotations=NO_LIMIT))
    answer = upload(gateway, chunked=chunked)
    assert (answer.status, answer.body, answer.header("connection")) == (413, b"too much", "close")


def test_an_answer_that_has_begun_is_finished_though_the_upload_is_over_its_limit(
    serve: Serve, backends: Backends
) -> None:
    over = threading.Event()

    def answer_slowly(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        assert over.wait(DEADLINE)
        exchange.send(b"lo")
        exchange.wait_for_close()
        exchange.close()

    gateway = serve(
        service("web", backends("web", answer_slowly)),
        ingress("web", Rule("web"), annotations={"proxy-body-size": "10"}),
    )
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n5\r\nhello\r\n")
        assert b" 200 OK\r\n" in (client.reader.head() or b"")
        assert client.reader.exactly(3) == b"hel"
        client.send(b"6\r\nagain!\r\n")
        over.set()
        assert client.rest() == b"lo"


def test_the_backend_says_when_to_go_on(serve: Serve, backends: Backends) -> None:
    may_go_on = threading.Event()

    def slowly(exchange: Exchange) -> None:
        assert may_go_on.wait(DEADLINE)
        exchange.answer(200, exchange.read_body())

    backend = backends("web", slowly)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
        gateway.until(lambda: backend.requests)
        assert backend.last.header("expect") == "100-Continue"
        may_go_on.set()
        assert client.reader.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.send(b"hello").response("POST").body == b"hello"
        assert client.send(request_bytes()).response().status == 200, "the connection goes on"


def test_a_backend_that_refuses_an_expectation_saves_the_upload(serve: Serve, backends: Backends) -> None:
    backend = backends("web", lambda exchange: exchange.answer(403, b"no"))
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = client.response("POST")
        assert (answer.status, answer.body, answer.interim) == (403, b"no", ())
        # Whether the body comes after all is the client's choice, so what comes next cannot be told from it.
        assert answer.header("connection") == "close"
        client.try_to_send(b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        assert client.rest() == b""
    gateway.until(lambda: backend.open_connections == 0)
    assert backend.targets() == ["/"]


def test_a_client_that_does_not_wait_for_the_word_is_served_too(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web", lambda exchange: exchange.answer(200, exchange.read_body()))),
        ingress("web", Rule("web")),
    )
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        assert client.response("POST").body == b"hello"


@pytest.mark.parametrize("then", ["close", "nonsense"])
def test_a_hint_and_then_nothing_is_still_answered(serve: Serve, backends: Backends, then: str) -> None:
    def hint_and_leave(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        if then == "nonsense":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
        exchange.close()

    gateway = serve(service("web", backends("web", hint_and_leave)), ingress("web", Rule("web")))
    answer = gateway.get("/", method="POST")
    assert (answer.status, [hint.status for hint in answer.interim]) == (502, [103])


def test_a_head_answer_with_a_body_and_a_get_behind_it(serve: Serve, backends: Backends) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.answer(200, b"a body, to HEAD too")

    gateway = serve(service("web", backends("web", answer)), ingress("web", Rule("web")), workers=1)
    with gateway.connect() as client:
        for _ in range(5):
            answer_to_head = client.send(request_bytes("HEAD")).response("HEAD")
            assert (answer_to_head.status, answer_to_head.header("content-length")) == (200, "19")
            assert client.send(request_bytes()).response().text == "a body, to HEAD too"


def gone(metrics: Metrics) -> float:
    return metrics.sum("fastingress_requests_total", code="499")


def never_answer(exchange: Exchange) -> None:
    exchange.wait_for_close()
    exchange.close()


def begin_events(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    never_answer(exchange)


@pytest.mark.parametrize("half", [True, False], ids=["half-close", "close"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_leaves_before_the_answer_is_499(
    serve: Serve, backends: Backends, method: str, half: bool
) -> None:
    backend = backends("web", never_answer)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with gateway.connect() as client:
        client.send(request_bytes(method, body=b"x" if method == "POST" else b""))
        gateway.until(lambda: backend.requests)
        if half:
            client.finish_sending()
            assert client.rest() == b""
    gateway.until(lambda: backend.open_connections == 0)
    gateway.until(lambda: gone(gateway.metrics()) == 1)


def test_a_client_that_leaves_in_the_middle_of_its_upload_is_499(serve: Serve, backends: Backends) -> None:
    def read_all(exchange: Exchange) -> None:
        exchange.read_body()

    backend = backends("web", read_all)
    gateway = serve(service("web", backend), ingress("web", Rule("web"), annotations=NO_LIMIT))
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        gateway.until(lambda: backend.requests)
    gateway.until(lambda: backend.open_connections == 0)
    gateway.until(lambda: gone(gateway.metrics()) == 1)


@pytest.mark.parametrize("half", [True, False], ids=["half-close", "close"])
def test_a_client_that_leaves_in_the_middle_of_the_answer_frees_the_backend(
    serve: Serve, backends: Backends, half: bool
) -> None:
    backend = backends("web", begin_events)
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with gateway.connect() as client:
        client.send(request_bytes())
        assert client.reader.head() is not None
        assert client.reader.exactly(10) == b"5\r\nhello\r\n"
        if half:
            client.finish_sending()
            assert client.rest() == b""
    gateway.until(lambda: backend.open_connections == 0)


def test_a_tunnel_lives_on_half_closed(serve: Serve, backends: Backends) -> None:
    def last_word(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        heard = exchange.wait_for_close()
        exchange.send(b"heard " + heard)
        exchange.close()

    gateway = serve(service("web", backends("web", last_word)), ingress("web", Rule("web")))
    with RawClient(gateway.http) as client:
        client.send(request_bytes(headers=[("Connection", "upgrade"), ("Upgrade", "websocket")]))
        assert client.response().status == 101
        client.send(b"all")
        client.finish_sending()
        assert client.rest() == b"heard all"
    gateway.until(lambda: gateway.metrics().sum("fastingress_connections_open") == 0)
