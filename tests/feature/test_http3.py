"""HTTP/3: what clients get over QUIC, and what they are told about it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aioquic.h3.connection import Setting

from tests.support.backend import Backend, Exchange
from tests.support.certificates import Authority, blind
from tests.support.clients import ClientAuthority
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.gateway import Served
from tests.support.http2 import Http2Client
from tests.support.http3 import Http3Client
from tests.support.manifests import Rule, ingress, service
from tests.support.process import command_of

HOST = "test.example"
CLOSED = "closed.example"
CONNECTION_REFUSED = 0x2
NO_ERROR = 0x100
EXCESSIVE_LOAD = 0x107
MESSAGE_ERROR = 0x10E
Open = Callable[..., tuple[Served, Backend]]


def echo(exchange: Exchange) -> None:
    """Answers with what it was sent."""
    body = exchange.read_body()
    told = [("X-Method", exchange.request.method), ("X-Body", hashlib.sha256(body).hexdigest())]
    exchange.answer(200, body, told)


@pytest.fixture
def shop(serve: Serve, backends: Backends) -> Open:
    """A gateway with two workers before one backend."""

    def open_(handler: Callable[[Exchange], None] = echo, **options: Any) -> tuple[Served, Backend]:
        backend = backends("web", handler)
        gateway = serve(
            service("web", backend),
            ingress("web", Rule("web", host=HOST), annotations={"proxy-body-size": "0"}),
            **{"http3": True, "workers": 2, **options},
        )
        return gateway, backend

    return open_


def test_a_get_is_answered(shop: Open) -> None:
    gateway, backend = shop()
    with Http3Client(gateway.https) as client:
        answer = client.get("/cart?item=1")
    assert answer.status == 200
    assert backend.last.target == "/cart?item=1"
    assert backend.last.header("host") == HOST
    assert backend.last.header("x-forwarded-proto") == "https"
    assert backend.last.header("x-forwarded-for") == "127.0.0.1"


def test_the_certificate_is_the_one_of_the_host(serve: Serve, backends: Backends, authority: Authority) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        http3=True,
    )
    with Http3Client(gateway.https, trust=authority.pem) as client:
        assert client.get().text == "web"


def test_a_client_that_moves_to_another_port_is_served_by_the_same_worker(shop: Open) -> None:
    gateway, _ = shop(workers=4)
    for _ in range(8):
        with Http3Client(gateway.https) as client:
            for _ in range(4):
                before = client.port
                assert client.get().status == 200
                client.move()
                assert client.port != before
            assert client.get().status == 200


def test_a_body_goes_up_and_comes_down_whole(shop: Open) -> None:
    gateway, _ = shop()
    body = os.urandom(3_000_000)
    with Http3Client(gateway.https) as client:
        stream = client.request(method="POST", end=False)
        client.send(stream, body, end=True)
        answer = client.answer(stream)
    assert answer.header("x-body") == hashlib.sha256(body).hexdigest()
    assert bytes(answer.body) == body


def test_an_empty_body_of_an_unstated_length_is_a_body(shop: Open) -> None:
    gateway, backend = shop()
    with Http3Client(gateway.https) as client:
        stream = client.request(method="POST", end=False)
        client.until(lambda: backend.requests)
        client.send(stream, b"", end=True)
        assert client.answer(stream).status == 200
    assert backend.last.body == b""


def test_trailers_go_both_ways(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        exchange.send(b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")

    gateway, backend = shop(answer)
    with Http3Client(gateway.https) as client:
        stream = client.request(method="POST", headers=[("te", "trailers")], end=False)
        client.send(stream, b"abc")
        client.send(stream, b"def")
        client.trailers(stream, [("x-count", "6")])
        answered = client.answer(stream)
    assert (backend.last.body, backend.last.trailers) == (b"abcdef", [("x-count", "6")])
    assert (answered.text, answered.trailers) == ("hello", {"x-sum": "5"})


def test_an_answer_to_head_has_a_length_and_no_body(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    gateway, _ = shop(answer)
    with Http3Client(gateway.https) as client:
        answered = client.answer(client.request(method="HEAD"))
    assert (answered.status, answered.header("content-length"), bytes(answered.body)) == (200, "5", b"")


def test_interim_answers_are_dropped(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        exchange.answer(200, b"final")

    gateway, _ = shop(answer)
    with Http3Client(gateway.https) as client:
        answered = client.get()
    assert (answered.status, answered.text) == (200, "final")


def test_websockets_are_not_offered_and_not_served(shop: Open) -> None:
    gateway, backend = shop()
    with Http3Client(gateway.https) as client:
        assert client.get().status == 200
        assert not (client.h3.received_settings or {}).get(Setting.ENABLE_CONNECT_PROTOCOL)
        extended = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat")]
        assert client.answer(client.head([*extended, (":authority", HOST)], end=False)).reset == MESSAGE_ERROR
    assert len(backend.requests) == 1


def test_many_streams_at_once_each_get_their_own_answer(shop: Open) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.answer(200, exchange.request.target.encode() * 1000)

    gateway, _ = shop(answer)
    with Http3Client(gateway.https) as client:
        for round_ in range(3):
            streams = {client.request(f"/{round_}/{n}"): f"/{round_}/{n}" for n in range(100)}
            for stream, target in streams.items():
                assert client.answer(stream).text == target * 1000


def test_an_upload_that_stands_still_leaves_the_others_alone(shop: Open) -> None:
    let_go = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/stalled":
            let_go.wait(60)
        exchange.read_body()
        exchange.answer(200, hashlib.sha256(exchange.request.body).hexdigest().encode())

    gateway, _ = shop(answer)
    body = os.urandom(400_000)
    with Http3Client(gateway.https) as client:
        stalled = client.request("/stalled", method="POST", end=False)
        client.send(stalled, body * 20, end=True)
        moving = [client.request(f"/{n}", method="POST", end=False) for n in range(10)]
        for stream in moving:
            client.send(stream, body, end=True)
        for stream in moving:
            assert client.answer(stream).text == hashlib.sha256(body).hexdigest()
        assert not client.answers[stalled].ended
        let_go.set()
        assert client.answer(stalled).text == hashlib.sha256(body * 20).hexdigest()


def test_a_download_that_is_given_no_window_leaves_the_others_alone(shop: Open) -> None:
    window, big = 1 << 16, os.urandom(2_000_000)

    def answer(exchange: Exchange) -> None:
        exchange.answer(200, big)

    gateway, _ = shop(answer)
    with Http3Client(gateway.https, max_data=window) as client:
        stalled = client.request("/stalled")
        client.hold(stalled)
        moving = [client.request(f"/{n}") for n in range(10)]
        assert [client.answer(stream).body == big for stream in moving] == [True] * 10
        assert client.answers[stalled].status == 200
        assert window // 2 < len(client.answers[stalled].body) <= window
        client.let_go(stalled)
        assert client.answer(stalled).body == big


def test_a_client_that_takes_its_request_back_ends_it_at_the_backend(shop: Open) -> None:
    gone = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/wait":
            exchange.wait_for_close()
            gone.set()
            exchange.close()
        else:
            exchange.answer(200, b"next")

    gateway, backend = shop(answer)
    with Http3Client(gateway.https) as client:
        stream = client.request("/wait")
        client.until(lambda: backend.requests)
        client.cancel(stream)
        client.until(gone.is_set)
        assert client.get().text == "next"


@pytest.mark.parametrize(("stated", "sent"), [(10, 9), (10, 11)])
def test_a_body_of_another_length_than_stated_is_refused(shop: Open, stated: int, sent: int) -> None:
    def answer(exchange: Exchange) -> None:
        with contextlib.suppress(AssertionError):
            exchange.read_body()
            exchange.answer(200, b"whole")

    gateway, backend = shop(answer)
    with Http3Client(gateway.https) as client:
        stream = client.request(method="POST", headers=[("content-length", str(stated))], end=False)
        client.quic.send_stream_data(stream, bytes([0, sent]) + b"x" * sent, True)
        answered = client.answer(stream)
        assert answered.status == 400 or answered.reset is not None
        assert client.get("/next").status == 200
    assert all(request.body in (b"", b"x" * stated) for request in backend.requests)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("transfer-encoding", "chunked")], 400),
        ([("connection", "close")], 400),
        ([("content-length", "1"), ("content-length", "2")], 400),
        ([(f"x-{n}", "a" * 9_000) for n in range(8)], 431),
    ],
)
def test_heads_are_judged_as_in_http_2(shop: Open, headers: list[tuple[str, str]], status: int) -> None:
    gateway, backend = shop()
    with Http3Client(gateway.https) as client:
        assert client.answer(client.request(headers=headers)).status == status
        assert not backend.requests
        assert client.get().status == 200


def test_a_host_beside_another_authority_is_refused(shop: Open) -> None:
    gateway, backend = shop()
    with Http3Client(gateway.https) as client:
        assert client.answer(client.request(headers=[("host", "other.example")])).reset == MESSAGE_ERROR
        assert client.get().status == 200
    assert len(backend.requests) == 1


def test_a_head_that_claims_to_be_endless_is_not_waited_for(shop: Open) -> None:
    gateway, _ = shop()
    with Http3Client(gateway.https) as client:
        stream = client.raw(b"\x01\xc0\x00\x00\xff\x00\x00\x00\x00" + b"x" * 1000, end=False)
        answered = client.answer(stream)
        assert answered.reset is not None
        assert client.get().status == 200


def test_frames_that_mean_nothing_are_skipped_and_a_flood_of_them_ends_the_connection(shop: Open) -> None:
    gateway, backend = shop()
    reserved = b"\x21\x02xx"
    with Http3Client(gateway.https) as client:
        stream = client.request(method="POST", end=False)
        client.quic.send_stream_data(stream, reserved + b"\x00\x01a" + reserved + b"\x00\x00" + b"\x00\x01b", True)
        assert client.answer(stream).status == 200
        assert backend.last.body == b"ab"
        stream = client.request(method="POST", end=False)
        client.quic.send_stream_data(stream, reserved * 5000)
        client.until(lambda: client.terminated)
        assert client.terminated is not None
        assert client.terminated.error_code == EXCESSIVE_LOAD


def test_requests_that_are_taken_back_at_once_are_bounded(shop: Open) -> None:
    gateway, _ = shop(lambda exchange: exchange.close())
    with Http3Client(gateway.https) as client:
        for _ in range(2000):
            if client.terminated:
                break
            client.cancel(client.request())
            client.step(0.001)
        client.until(lambda: client.terminated)
        assert client.terminated is not None
        assert client.terminated.error_code == EXCESSIVE_LOAD
    eventually(lambda: gateway.metrics().sum("fastingress_http2_floods_total", kind="rapid_reset") == 1)


def test_answers_over_tls_say_where_http_3_is(shop: Open) -> None:
    gateway, _ = shop()
    said = f'h3=":{gateway.https[1]}"; ma=86400'
    assert gateway.get_tls(blind(), host=HOST).header("alt-svc") == said
    assert gateway.get_tls(blind(), host="unknown.example").header("alt-svc") == said
    with Http2Client(gateway.https, tls=blind(), server_name=HOST) as client:
        assert client.answer(client.request()).header("alt-svc") == said
    with Http3Client(gateway.https) as http3:
        assert http3.get().header("alt-svc") is None
    assert gateway.get(host=HOST).header("alt-svc") is None


def test_the_port_that_is_announced_can_be_told(shop: Open) -> None:
    gateway, _ = shop(http3_advertise_port=443)
    assert gateway.get_tls(blind(), host=HOST).header("alt-svc") == 'h3=":443"; ma=86400'


def test_without_the_option_nothing_is_announced(shop: Open) -> None:
    gateway, _ = shop(http3=False)
    assert gateway.get_tls(blind(), host=HOST).header("alt-svc") is None


def test_a_host_whose_tls_passes_through_is_not_served_over_http_3(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=HOST)),
        ingress("through", Rule("web", host="through.example"), annotations={"ssl-passthrough": "true"}),
        http3=True,
        enable_ssl_passthrough=True,
    )
    with Http3Client(gateway.https, server_name="through.example") as client:
        assert client.get(host="through.example").status == 421
        assert client.get(host=HOST).status == 200


def test_a_host_that_asks_for_certificates_is_not_served_over_http_3(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ClientAuthority().secret("clients"),
        ingress("web", Rule("web", host=HOST)),
        ingress("closed", Rule("web", host=CLOSED), annotations={"auth-tls-secret": "default/clients"}),
        http3=True,
    )
    for server_name in (HOST, CLOSED):
        with Http3Client(gateway.https, server_name=server_name) as client:
            assert client.get(host=CLOSED).status == 421
            assert not backend.requests
            assert client.get(host=HOST).status == 200
            backend.requests.clear()
    refused = gateway.get_tls(blind(), host=CLOSED)
    assert (refused.status, refused.header("alt-svc")) == (400, None)


def test_a_server_name_of_another_host_gets_the_default_certificate(
    serve: Serve, backends: Backends, authority: Authority
) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        http3=True,
    )
    client = Http3Client(gateway.https, server_name="other.example", trust=authority.pem)
    client.hello()
    client.until(lambda: client.terminated)
    client.close()
    with Http3Client(gateway.https, server_name="other.example") as trusting:
        assert trusting.get(host="other.example").status == 404


def test_a_session_is_resumed_and_nothing_is_taken_early(shop: Open) -> None:
    gateway, _ = shop()
    with Http3Client(gateway.https) as first:
        first.get()
        first.until(lambda: first.tickets)
    ticket = first.tickets[0]
    assert not ticket.max_early_data_size
    with Http3Client(gateway.https, ticket=ticket) as second:
        assert second.get().status == 200
        assert second.handshake is not None
        assert second.handshake.session_resumed
        assert not second.handshake.early_data_accepted


def test_clients_show_their_address_while_many_shake_hands(shop: Open) -> None:
    gateway, _ = shop(workers=1)
    silent = [Http3Client(gateway.https) for _ in range(80)]
    for client in silent:
        client.hello()
    refused = "fastingress_refused_total"
    eventually(lambda: gateway.metrics().sum(refused, reason="address_unproven") > 0)
    before = gateway.metrics().sum(refused, reason="address_unproven")
    with Http3Client(gateway.https) as client:
        assert client.get().status == 200
    assert gateway.metrics().sum(refused, reason="address_unproven") > before
    for client in silent:
        client.sock.close()


def test_connections_and_handshakes_are_counted(shop: Open) -> None:
    gateway, _ = shop()

    def count(name: str, **labels: str) -> float:
        return gateway.metrics().sum(f"fastingress_{name}", **labels)

    with Http3Client(gateway.https) as client:
        client.get()
        assert count("connections_open", listener="http3") == 1
        assert count("tls_handshakes_total", protocol="TLSv1.3", result="full") == 1
    eventually(lambda: count("connections_open", listener="http3") == 0)
    assert count("connections_total", listener="http3") == 1
    assert count("requests_total", code="200") == 1


def test_connections_beyond_the_limit_are_refused(shop: Open) -> None:
    gateway, _ = shop(max_connections=16)
    clients = [Http3Client(gateway.https).connect() for _ in range(16)]
    late = Http3Client(gateway.https)
    late.hello()
    late.until(lambda: late.terminated)
    assert late.terminated is not None
    assert late.terminated.error_code == CONNECTION_REFUSED
    for client in [*clients, late]:
        client.close()


def test_a_connection_without_requests_is_closed_after_a_while(shop: Open) -> None:
    gateway, _ = shop(idle_timeout="200ms")
    with Http3Client(gateway.https) as client:
        assert client.get().status == 200
        client.until(lambda: client.terminated)
        assert client.terminated is not None
        assert client.terminated.error_code == NO_ERROR


def test_draining_finishes_what_is_under_way_and_closes(spawn: Spawn, backends: Backends) -> None:
    let_go = threading.Event()

    def answer(exchange: Exchange) -> None:
        let_go.wait(20)
        exchange.answer(200, b"finished")

    backend = backends("shop", answer)
    rule = ingress("shop", Rule("shop", host=HOST))
    process = spawn(service("shop", backend), rule, http3=True, shutdown_delay=0)
    with Http3Client(process.https) as client:
        stream = client.request()
        client.until(lambda: backend.requests)
        process.signal(signal.SIGTERM)
        eventually(lambda: process.errors.line("draining"))
        late = Http3Client(process.https)
        late.hello()
        late.until(lambda: late.terminated)
        assert late.terminated is not None
        assert late.terminated.error_code == CONNECTION_REFUSED
        late.close()
        let_go.set()
        assert client.answer(stream).text == "finished"
        client.until(lambda: client.terminated)
        assert client.terminated is not None
        assert client.terminated.error_code == NO_ERROR
    assert process.exit_status() == 0


def test_the_port_of_another_is_an_error_that_names_the_option(folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = command_of(folder, http3=True, https_port=port)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "--http3" in ended.stderr


def test_http_3_needs_tls_1_3(folder: Path) -> None:
    command = command_of(folder, http3=True, ssl_protocols="TLSv1.2")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "--http3" in ended.stderr
