"""How large a request body may be, and that a client that is still sending can read the refusal."""

from __future__ import annotations

import threading

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

MIB = 1 << 20


@pytest.mark.parametrize(
    ("annotation", "size", "status"),
    [
        (None, MIB, 200),
        (None, MIB + 1, 413),
        ("10", 10, 200),
        ("10", 11, 413),
        ("1k", 1024, 200),
        ("1k", 1025, 413),
        ("0", 3 * MIB, 200),
    ],
)
def test_the_limit_is_to_the_byte(
    serve: Serve, backends: Backends, annotation: str | None, size: int, status: int
) -> None:
    backend = backends("web")
    annotations = {} if annotation is None else {"proxy-body-size": annotation}
    gateway = serve(service("web", backend), ingress("web", Rule("web"), annotations=annotations))
    assert gateway.get("/", method="POST", body=b"x" * size).status == status
    assert [len(request.body) for request in backend.requests] == ([size] if status == 200 else [])


def test_a_chunked_body_is_counted_too(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web"), annotations={"proxy-body-size": "10"}))
    chunked = [("Transfer-Encoding", "chunked")]
    fits = gateway.get("/", method="POST", headers=chunked, body=b"a\r\n0123456789\r\n0\r\n\r\n")
    assert fits.status == 200
    over = gateway.get("/", method="POST", headers=chunked, body=b"b\r\n0123456789a\r\n0\r\n\r\n")
    assert over.status == 413


def test_a_client_that_goes_on_sending_reads_the_413(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")))
    size = 100 * MIB
    with gateway.connect() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: {size}\r\n\r\n".encode())

        def keep_sending() -> None:
            block = b"x" * MIB
            for _ in range(size // len(block)):
                try:
                    client.sock.sendall(block)
                except OSError:
                    return  # the gateway has had enough; what it answered is read below

        sender = threading.Thread(target=keep_sending, daemon=True)
        sender.start()
        answer = client.response("POST")
        sender.join(30)
    assert answer.status == 413
    assert not sender.is_alive()


def test_a_refused_expectation_saves_the_upload(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")))
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
        answer = client.response("POST")
    assert (answer.status, answer.interim) == (413, ())
