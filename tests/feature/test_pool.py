"""Connections to backends: kept, looked at before use, and never the reason for a request to run twice."""

from __future__ import annotations

import pytest

from tests.support.backend import Exchange, response
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


def test_connections_are_kept(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")), workers=1)
    for _ in range(10):
        assert gateway.get("/").status == 200
    assert len(backend.connections) == 1


def test_a_connection_whose_answer_was_not_read_to_the_end_is_not_kept(serve: Serve, backends: Backends) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(response(200, b"hello") + b"and more")

    backend = backends("web", answer)
    gateway = serve(service("web", backend), ingress("web", Rule("web")), workers=1)
    for _ in range(3):
        assert gateway.get("/").body == b"hello"
    assert len(backend.connections) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_backend_that_closes_after_each_answer_costs_no_request(
    serve: Serve, backends: Backends, method: str
) -> None:
    def answer_and_close(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.answer(200, b"once")
        exchange.close()

    backend = backends("web", answer_and_close)
    gateway = serve(service("web", backend), ingress("web", Rule("web")), workers=1)
    for _ in range(50):
        assert gateway.get("/", method=method).status == 200
        # A close that is still on its way can meet a POST, which then fails and is not repeated.
        gateway.until(lambda: backend.open_connections == 0)
    assert len(backend.requests) == 50


def test_a_post_never_runs_twice_when_the_backend_closes_during_it(serve: Serve, backends: Backends) -> None:
    def read_and_close(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.close()

    one, two = backends("one", read_and_close), backends("two", read_and_close)
    gateway = serve(service("web", one, two), ingress("web", Rule("web")), workers=1)
    for number in range(10):
        assert gateway.get(f"/{number}", method="POST", body=b"x").status == 502
    assert sorted(one.targets() + two.targets()) == sorted(f"/{number}" for number in range(10))


def test_a_get_is_tried_again_when_the_backend_closes_during_it(serve: Serve, backends: Backends) -> None:
    def close(exchange: Exchange) -> None:
        exchange.close()

    bad, good = backends("bad", close), backends("good")
    gateway = serve(service("web", bad, good), ingress("web", Rule("web")), workers=1)
    assert [gateway.get("/").text for _ in range(3)] == ["good"] * 3  # so many retries are always within the budget


def test_a_backend_that_closed_its_idle_connections_costs_no_post(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")), workers=1)
    for number in range(20):
        assert gateway.get(f"/{number}", method="POST", body=b"x").status == 200
        backend.cut()
    assert backend.targets() == [f"/{number}" for number in range(20)]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x00" * 100,
    ],
    ids=["ssh", "two lengths", "both", "not chunked last", "space", "bare lf", "too big", "nul"],
)
def test_an_answer_that_is_not_http_is_502(serve: Serve, backends: Backends, nonsense: bytes) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(nonsense)
        exchange.close()

    gateway = serve(service("web", backends("web", answer)), ingress("web", Rule("web")))
    assert gateway.get("/", method="POST").status == 502
