"""Every wait ends: a slow head, a slow body, a backend that does not answer, one that cannot be reached."""

from __future__ import annotations

from tests.support.backend import Exchange
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
