"""Every wait ends: a slow head, a slow body, a backend that does not answer, one that cannot be reached."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.support.backend import Exchange
from tests.support.client import RawClient
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


def never_answer(exchange: Exchange) -> None:
    exchange.wait_for_close()
    exchange.close()


def test_a_backend_that_does_not_answer_costs_504(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web", never_answer)),
        ingress("web", Rule("web"), annotations={"proxy-read-timeout": "1"}),
    )
    assert gateway.get("/").status == 504


def test_a_head_that_does_not_come_costs_408(serve: Serve) -> None:
    gateway = serve(head_timeout=0.3)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test.ex")
        assert client.response().status == 408
        assert client.is_closed()


def test_a_connection_that_says_nothing_is_closed_without_a_word(serve: Serve) -> None:
    gateway = serve(head_timeout=0.3, idle_timeout=0.3)
    with gateway.connect() as client:
        assert client.is_closed()


def test_an_idle_connection_is_closed(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")), idle_timeout=0.3)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        assert client.response().status == 200
        assert client.is_closed()


def test_a_body_that_does_not_come_costs_408(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")), body_timeout=0.3)
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 10\r\n\r\nhalf")
        assert client.response("POST").status == 408


def test_an_answer_that_stops_half_way_is_cut_not_completed(serve: Serve, backends: Backends) -> None:
    def half(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        never_answer(exchange)

    gateway = serve(
        service("web", backends("web", half)), ingress("web", Rule("web"), annotations={"proxy-read-timeout": "1"})
    )
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        received = client.rest()
    assert received.endswith(b"\r\n\r\nhalf")


def test_a_backend_that_cannot_be_reached_in_time_costs_504(serve: Serve) -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(4):
            # What does not fit into the queue of connections is not answered at all.
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        gateway = serve(
            service("web", f"{address[0]}:{address[1]}"),
            ingress("web", Rule("web"), annotations={"proxy-connect-timeout": "1"}),
        )
        assert gateway.get("/").status == 504


def test_a_backend_that_does_not_read_costs_504(serve: Serve, backends: Backends) -> None:
    done = threading.Event()

    def stand_still(exchange: Exchange) -> None:
        assert done.wait(20)
        exchange.close()

    gateway = serve(
        service("web", backends("web", stand_still)),
        ingress("web", Rule("web"), annotations={"proxy-send-timeout": "1", "proxy-body-size": "0"}),
    )
    with gateway.connect() as client:
        upload = threading.Thread(target=_send_until_refused, args=(client,))
        upload.start()
        try:
            assert client.response("POST").status == 504
        finally:
            done.set()
            client.finish_sending()
            upload.join(20)


def _send_until_refused(client: RawClient) -> None:
    with contextlib.suppress(OSError):
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            client.send(bytes(1_000_000))
