"""HTTP/2 from clients: the same routes and filters, streams beside each other, and an orderly end."""

from __future__ import annotations

import contextlib
import signal
import ssl
import threading
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from tests.support.backend import Backend, Exchange, Handler, say_name
from tests.support.certificates import Authority, blind
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.gateway import Served
from tests.support.http2 import Http2Client
from tests.support.manifests import Rule, ingress, service

HOST = "test.example"
NO_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x7, 0x8, 0xB


@dataclass
class Shop:
    """A gateway and its one backend."""

    gateway: Served
    backend: Backend

    def connect(self, **options: Any) -> Http2Client:
        return Http2Client(self.gateway.http, **options)


class Open(Protocol):
    def __call__(self, handler: Handler = say_name, **options: Any) -> Shop: ...


@pytest.fixture
def shop(serve: Serve, backends: Backends) -> Open:
    """A gateway that takes HTTP/2 with prior knowledge, and one backend that answers as it is told."""

    def start(handler: Handler = say_name, **options: Any) -> Shop:
        backend = backends("shop", handler)
        rule = ingress("shop", Rule("shop", host=HOST))
        return Shop(serve(service("shop", backend), rule, h2c=True, **options), backend)

    return start


def test_over_tls_it_is_chosen_in_the_handshake(serve: Serve, backends: Backends, authority: Authority) -> None:
    gateway = serve(
        service("shop", backends("shop")),
        authority.issue(HOST).secret("cert"),
        ingress("shop", Rule("shop", host=HOST), tls={"cert": [HOST]}),
    )
    with Http2Client(gateway.https, tls=authority.trusting(), server_name=HOST) as client:
        answer = client.ask()
        assert (answer.status, answer.text) == (200, "shop")
        assert answer.header("content-length") == "4"
        assert answer.header("date")
        assert answer.header("connection") is None


def test_it_can_be_switched_off(serve: Serve) -> None:
    gateway = serve(http2=False)
    context = blind()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with gateway.connect_tls(context, HOST) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_the_plain_port_takes_both_protocols_with_h2c(shop: Open) -> None:
    here = shop()
    assert here.gateway.get().text == "shop"
    with here.connect() as client:
        assert client.ask().text == "shop"
    with here.gateway.connect() as client:
        # As far as it goes this could be the preface.
        client.drip(b"PRI / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        assert client.response().status == 200


def test_without_h2c_a_preface_is_refused(serve: Serve) -> None:
    gateway = serve()
    with gateway.connect() as client:
        assert client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").response().status in (400, 505)


def test_the_backend_sees_the_same_request_as_over_http_1(shop: Open) -> None:
    here = shop()
    with here.connect() as client:
        crumbs = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("te", "trailers")]
        client.ask("/cart?x=1", headers=crumbs)
    request = here.backend.last
    assert (request.method, request.target, request.header("host")) == ("GET", "/cart?x=1", HOST)
    assert request.header("cookie") == "a=1; b=2"
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("content-length") is None
    assert request.header("transfer-encoding") is None
    assert not [name for name, _ in request.headers if name.startswith(":")]


def test_a_body_of_known_length_keeps_it_and_another_goes_in_chunks(shop: Open) -> None:
    here = shop()
    body = b"x" * 300_000
    with here.connect() as client:
        for headers, expected in ([("content-length", str(len(body)))], "length"), ([], "chunks"):
            stream = client.request(method="POST", headers=headers, end=False)
            client.send(stream, body, end=True)
            assert client.answer(stream).status == 200
            request = here.backend.last
            assert request.body == body
            assert (request.header("transfer-encoding") == "chunked") == (expected == "chunks")
            assert (request.header("content-length") == str(len(body))) == (expected == "length")


def test_trailers_go_both_ways(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
        exchange.send(b"5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n")

    here = shop(answer)
    with here.connect() as client:
        stream = client.request(method="POST", end=False)
        client.send(stream, b"abc")
        client.trailers(stream, [("x-check", "9")])
        answered = client.answer(stream)
    assert (answered.status, answered.body, answered.trailers) == (200, b"hello", {"x-sum": "7"})
    assert b"0\r\nx-check: 9\r\n\r\n" in here.backend.received


def test_head_interim_answers_and_empty_answers(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/hints":
            exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        if exchange.request.target == "/none":
            exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif exchange.request.method == "HEAD":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        else:
            exchange.answer(200, b"ok")

    with shop(answer).connect() as client:
        head = client.ask(method="HEAD")
        assert (head.status, head.header("content-length"), head.body) == (200, "1234", b"")
        hints = client.ask("/hints")
        assert [interim[":status"] for interim in hints.interim] == ["103"]
        assert hints.interim[0]["link"] == "</a.css>; rel=preload"
        assert hints.text == "ok"
        none = client.ask("/none")
        assert (none.status, none.header("content-length"), none.body) == (204, None, b"")


def test_connect_is_refused(shop: Open) -> None:
    here = shop()
    with here.connect() as client:
        stream = client.head([(":method", "CONNECT"), (":authority", "elsewhere.example:443")], end=False)
        answer = client.answer(stream)
        assert answer.status == 405 or answer.reset is not None
    assert here.backend.requests == []


def test_a_web_socket_is_tunnelled(shop: Open) -> None:
    def agree_and_echo(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
        exchange.send(b"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
        while data := exchange.reader.some():
            exchange.send(data)
        exchange.close()

    here = shop(agree_and_echo)
    with here.connect() as client:
        extended = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat")]
        extended += [(":authority", HOST), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")]
        while not client.h2.remote_settings.enable_connect_protocol:
            client.read()
        stream = client.head(extended, end=False)
        answer = client.answers[stream]
        client.send(stream, b"\x00one")
        while answer.body != b"\x00one":
            client.read()
        assert answer.status == 200
        assert answer.header("sec-websocket-protocol") == "chat"
        assert answer.header("sec-websocket-accept") is None
        assert answer.header("upgrade") is None
        client.send(stream, b"two" * 50_000)
        while len(answer.body) < 4 + 150_000:
            client.read()
        client.h2.end_stream(stream)
        client.flush()
        assert client.answer(stream).ended
    request = here.backend.last
    assert (request.method, request.target, request.header("upgrade")) == ("GET", "/chat", "websocket")
    assert len(request.header("sec-websocket-key") or "") == 24


def test_a_web_socket_that_the_backend_does_not_open_is_not_open(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.answer(200 if exchange.request.target == "/page" else 403, b"no")

    extended = [(":method", "CONNECT"), (":scheme", "https"), (":authority", HOST)]
    with shop(answer).connect() as client:
        for target, protocol, expected in (("/page", "websocket", 502), ("/", "websocket", 403), ("/", "h2c", 400)):
            stream = client.head([*extended, (":protocol", protocol), (":path", target)], end=False)
            assert client.answer(stream).status == expected


def test_a_stream_that_is_not_read_does_not_hold_up_the_others(shop: Open) -> None:
    big = b"b" * 3_000_000

    def answer(exchange: Exchange) -> None:
        exchange.answer(200, big)

    with shop(answer).connect(automatic_windows=False, settings={0x4: 1 << 16}) as client:
        client.h2.increment_flow_control_window(1 << 30)
        stalled = client.request("/stalled")
        moving = [client.request(f"/{number}") for number in range(10)]
        client.flush()
        for stream in moving:
            client.h2.increment_flow_control_window(1 << 24, stream)
        client.flush()
        assert [len(client.answer(stream).body) for stream in moving] == [len(big)] * 10
        assert not client.answers[stalled].ended
        assert len(client.answers[stalled].body) <= 1 << 16
        client.h2.increment_flow_control_window(1 << 24, stalled)
        client.flush()
        assert len(client.answer(stalled).body) == len(big)


def test_a_backend_that_reads_nothing_holds_up_its_own_stream_alone(shop: Open) -> None:
    let_go = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/slow":
            let_go.wait(20)
        exchange.read_body()
        exchange.answer(200, str(len(exchange.request.body)).encode())

    with shop(answer, body_limit=0).connect() as client:
        slow = client.request("/slow", method="POST", end=False)
        sent = 0
        while client.h2.local_flow_control_window(slow) > 0 and sent < 64 << 20:
            piece = min(client.h2.local_flow_control_window(slow), client.h2.max_outbound_frame_size)
            client.h2.send_data(slow, b"s" * piece)
            sent += piece
            client.flush()
        other = client.request("/", method="POST", end=False)
        client.send(other, b"o" * 500_000, end=True)
        assert client.answer(other).text == "500000"
        let_go.set()
        client.send(slow, b"", end=True)
        assert client.answer(slow).text == str(sent)


def test_a_client_that_resets_a_stream_is_gone_for_its_backend(shop: Open) -> None:
    begun, gone = threading.Event(), threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/":
            return exchange.answer(200, b"ok")
        begun.set()
        exchange.wait_for_close()
        gone.set()
        return None

    with shop(answer).connect() as client:
        stream = client.request("/wait")
        assert begun.wait(20)
        client.h2.reset_stream(stream, CANCEL)
        client.flush()
        assert gone.wait(20)
        assert client.ask().status == 200


def test_refused_heads_are_answered_and_leave_the_connection_alone(shop: Open) -> None:
    here = shop()
    with here.connect() as client:
        assert client.ask(host="other.example", headers=[("host", HOST)]).status == 400
        assert client.ask("/a%00b").status == 400
        assert client.ask("/" + "a" * 20_000).status == 414
        assert client.ask("/").status == 200
    assert len(here.backend.requests) == 1


def test_draining_tells_the_client_and_finishes_what_is_under_way(spawn: Spawn, backends: Backends) -> None:
    let_go = threading.Event()

    def answer(exchange: Exchange) -> None:
        let_go.wait(20)
        exchange.answer(200, b"finished")

    backend = backends("shop", answer)
    rule = ingress("shop", Rule("shop", host=HOST))
    process = spawn(service("shop", backend), rule, h2c=True, shutdown_delay=0)
    with Http2Client(process.http) as client:
        stream = client.request()
        eventually(lambda: backend.requests)
        process.signal(signal.SIGTERM)
        assert client.wait_for_goaway() == NO_ERROR
        let_go.set()
        assert client.answer(stream).text == "finished"
    assert process.exit_status() == 0


def test_pings_are_answered_and_a_flood_of_them_ends_the_connection(shop: Open) -> None:
    here = shop()
    with here.connect() as client:
        client.h2.ping(b"12345678")
        client.flush()
        assert client.ask().status == 200
        ping = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"p" * 8
        client.sock.sendall(ping * 5000)
        assert client.wait_for_goaway() == ENHANCE_YOUR_CALM
    eventually(lambda: here.gateway.metrics().sum("fastingress_http2_floods_total", kind="ping") == 1)
    assert here.gateway.get().text == "shop"


def test_an_answer_before_the_end_of_the_request_is_not_lost_to_a_reset(shop: Open) -> None:
    with shop().connect() as client:
        stream = client.request(method="POST", headers=[("content-length", "3")], end=False)
        client.send(stream, b"abc")
        # The length is reached, the end has not been said: some clients say it in a frame of its own.
        answer = client.answer(stream)
        assert (answer.text, answer.reset) == ("shop", None)
        client.h2.end_stream(stream)
        client.flush()
        assert client.ask().text == "shop"
        assert answer.reset is None


def test_early_answers_do_not_end_the_connection(shop: Open) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.answer(401, b"no", [("Connection", "close")])
        exchange.close()

    here = shop(refuse)
    with here.connect() as client:
        for _ in range(60):
            stream = client.request(method="POST", end=False)
            assert client.answer(stream).status == 401
            client.h2.reset_stream(stream, NO_ERROR)
            client.flush()
        assert client.ask().status == 401
        assert client.goaway is None


def test_bodies_that_are_thrown_away_are_not_held_against_others(shop: Open) -> None:
    """Streams that are reset with their windows full, before and after anybody has looked at them."""
    here = shop(body_limit=0)
    with here.connect() as client:
        # Twenty that nobody has looked at yet, and the library takes it for a flood.
        for _ in range(15):
            stream = client.request(method="POST", end=False)
            while client.h2.local_flow_control_window(stream) >= 16_000:
                client.h2.send_data(stream, b"x" * 16_000)
            client.h2.reset_stream(stream, CANCEL)
            client.flush()
        assert client.ask().status == 200
        eventually(lambda: here.gateway.metrics().sum("fastingress_buffered_bytes") == 0)
        assert client.goaway is None


def test_a_head_that_drips_in_ends_the_connection(shop: Open) -> None:
    here = shop(head_timeout=0.3)
    with here.connect() as client:
        assert client.ask().status == 200
        client.sock.sendall(b"\x00\x00\x40\x01\x04\x00\x00\x00\x03\x82")
        while client.goaway is None and not client.closed:
            with contextlib.suppress(OSError):
                client.sock.sendall(b"\x84")
            client.read()
        assert client.goaway == ENHANCE_YOUR_CALM
    assert here.gateway.metrics().sum("fastingress_http2_floods_total", kind="slow_head") == 1


def test_streams_opened_before_the_limit_is_known_are_refused_and_no_more(shop: Open) -> None:
    let_go = threading.Event()

    def answer(exchange: Exchange) -> None:
        let_go.wait(20)
        exchange.answer(200, b"ok")

    here = shop(answer)
    with here.connect() as client:
        streams = [client.request(f"/{number}") for number in range(300)]
        eventually(lambda: len(here.backend.requests) >= 100)
        let_go.set()
        answers = [client.answer(stream) for stream in streams]
        assert client.goaway is None
        served = [answer for answer in answers if answer.status == 200]
        refused = [answer for answer in answers if answer.reset == REFUSED_STREAM]
        assert len(served) >= 128
        assert len(served) + len(refused) == 300
