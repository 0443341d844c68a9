"""Nothing ambiguous reaches a backend: exact bytes or none, however the bytes are split."""

from __future__ import annotations

import pytest

from tests.support.client import RawClient
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

HOST = b"Host: test.example\r\n"

REFUSED = {
    "both lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "differing lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length list": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 6\r\n\r\nhello",
    "a signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello",
    "a huge length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n z\r\n\r\n",
    "bare lf": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "bare cr": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    "control": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x07b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: other.example\r\n\r\n",
    "bad host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host with path": b"GET / HTTP/1.1\r\nHost: test.example/x\r\n\r\n",
    "bad method": b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "bad version": b"GET / HTTP/3.7\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw bytes in target": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT test.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

# Framing that shows itself only in the body: the head is forwarded at most, never what follows the fault.
BROKEN_BODIES = {
    "chunk size": b"xyz\r\nhello\r\n0\r\n\r\n",
    "chunk size overflow": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk end": b"5\r\nhelloXX0\r\n\r\n",
    "bare lf after size": b"5\nhello\r\n0\r\n\r\n",
    "trailer host": b"0\r\nHost: evil.example\r\n\r\n",
    "trailer length": b"0\r\nContent-Length: 5\r\n\r\n",
}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize("case", list(REFUSED))
def test_an_ambiguous_head_is_refused_and_nothing_is_forwarded(serve: Serve, backends: Backends, case: str) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    raw = REFUSED[case]
    for split in (None, *range(1, len(raw))):
        with RawClient(gateway.http) as client:
            client.send(raw + SMUGGLED, split=split)
            answer = client.response("POST")
            assert 400 <= answer.status < 600, f"split at {split}"
            assert answer.header("connection") == "close"
            client.rest()
    assert backend.received == b""


@pytest.mark.parametrize("case", list(BROKEN_BODIES))
def test_a_broken_body_ends_the_connection_and_smuggles_nothing(serve: Serve, backends: Backends, case: str) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    raw = head + BROKEN_BODIES[case]
    for split in (None, *range(1, len(raw))):
        with RawClient(gateway.http) as client:
            client.send(raw + SMUGGLED, split=split)
            assert client.response("POST").status == 400, f"split at {split}"
            client.rest()
    assert b"smuggled" not in backend.received
    assert b"evil" not in backend.received


def test_a_request_is_forwarded_the_same_however_it_is_split(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")), workers=1)
    raw = (
        b"POST /a?b HTTP/1.1\r\n" + HOST + b"X-Request-ID: 1\r\nTransfer-Encoding: chunked\r\nX-Any:  value \r\n\r\n"
        b"5\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: t\r\n\r\n"
    )
    for split in (None, *range(1, len(raw))):
        with RawClient(gateway.http) as client:
            assert client.send(raw, split=split).response("POST").status == 200
    heads = {request.raw_head for request in backend.requests}
    bodies = {request.body for request in backend.requests}
    assert (len(heads), bodies) == (1, {b"hello!"})
    total = len(backend.received)
    assert total % len(backend.requests) == 0


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["long target", "big head", "many headers"],
)
def test_what_is_too_big_has_its_status(serve: Serve, backends: Backends, raw: bytes, status: int) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    with RawClient(gateway.http) as client:
        assert client.send(raw).response().status == status
    assert backend.received == b""


def test_an_absolute_target_overrides_the_host(serve: Serve, backends: Backends) -> None:
    a, b = backends("a"), backends("b")
    gateway = serve(
        service("a", a),
        service("b", b),
        ingress("a", Rule("a", host="a.example")),
        ingress("b", Rule("b", host="b.example")),
    )
    with RawClient(gateway.http) as client:
        client.send(b"GET http://a.example/x HTTP/1.1\r\nHost: b.example\r\n\r\n")
        assert client.response().text == "a"
    assert a.last.target == "/x"
    assert a.last.all("host") == ["a.example"]
