"""HTTP/3: what clients get over QUIC, and what they are told about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.backend import Backend, Exchange
from tests.support.certificates import Authority
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.http3 import Http3Client
from tests.support.manifests import Rule, ingress, service

HOST = "test.example"
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
