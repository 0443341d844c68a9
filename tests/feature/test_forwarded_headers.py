"""What a backend is told about the client, and whom the gateway believes."""

from __future__ import annotations

import re

import pytest

from tests.support.certificates import Authority
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

HOST = "shop.example.com"
FORGED = [
    ("X-Forwarded-For", "10.1.1.1"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "1"),
    ("X-Real-IP", "10.1.1.1"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Scheme", "https"),
]


def test_the_backend_learns_who_asked_and_how(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    gateway.get("/", host=f"{HOST}:8080")
    request = backend.last
    assert request.header("host") == f"{HOST}:8080"
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("x-real-ip") == ["127.0.0.1"]
    assert request.all("x-forwarded-host") == [f"{HOST}:8080"]
    assert request.all("x-forwarded-port") == [str(gateway.http[1])]
    for name in ("x-forwarded-proto", "x-forwarded-scheme", "x-scheme"):
        assert request.all(name) == ["http"]
    assert re.fullmatch("[0-9a-f]{32}", request.header("x-request-id") or "")


def test_over_tls_the_scheme_is_https(serve: Serve, backends: Backends, authority: Authority) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
    )
    gateway.get_tls(authority.trusting(), host=HOST)
    for name in ("x-forwarded-proto", "x-forwarded-scheme", "x-scheme"):
        assert backend.last.all(name) == ["https"]


def test_what_a_stranger_claims_is_replaced_and_kept_aside(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    gateway.get("/", host=HOST, headers=FORGED)
    request = backend.last
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("x-real-ip") == ["127.0.0.1"]
    assert request.all("x-forwarded-host") == [HOST]
    assert request.all("x-forwarded-proto") == ["http"]
    assert request.all("x-scheme") == ["http"]
    assert request.all("x-original-forwarded-for") == ["10.1.1.1"]
    assert request.all("x-original-forwarded-host") == ["evil.example"]


def test_a_trusted_proxy_is_believed(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")), trusted_proxies=("127.0.0.0/8",))
    gateway.get("/", host=HOST, headers=FORGED)
    request = backend.last
    assert request.header("x-real-ip") == "10.1.1.1"
    assert request.header("x-forwarded-proto") == "https"
    assert request.header("x-forwarded-host") == "evil.example"


def test_the_first_address_from_the_right_that_is_not_trusted_is_the_client(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")), trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    gateway.get("/", headers=[("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.0.0.1")])
    assert backend.last.header("x-real-ip") == "203.0.113.9"


def test_a_request_id_of_the_client_is_kept(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    gateway.get("/", headers=[("X-Request-ID", "abc-123")])
    assert backend.last.all("x-request-id") == ["abc-123"]


@pytest.mark.parametrize(
    "header",
    [
        ("Proxy", "http://evil.example"),
        ("ssl-client-verify", "SUCCESS"),
        ("ssl-client-subject-dn", "CN=admin"),
        ("X_Forwarded_For", "10.0.0.1"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "gzip"),
    ],
)
def test_some_headers_never_pass(serve: Serve, backends: Backends, header: tuple[str, str]) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    assert gateway.get("/", headers=[header]).status == 200
    assert backend.last.all(header[0]) == []


def test_headers_that_connection_names_go_too(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    gateway.get("/", headers=[("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-End", "1"), ("TE", "trailers")])
    assert backend.last.all("x-hop") == []
    assert backend.last.all("x-end") == ["1"]
    assert backend.last.all("te") == ["trailers"]


def test_connection_cannot_take_our_headers_away(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    gateway.get("/", headers=[("Connection", "close, X-Forwarded-For, X-Real-IP")])
    assert backend.last.all("x-forwarded-for") == ["127.0.0.1"]
    assert backend.last.all("x-real-ip") == ["127.0.0.1"]
