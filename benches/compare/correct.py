"""Before anything is measured: every peer gives the same answers and tells the backend the same about the client."""

from __future__ import annotations

import http.client
import re

from benches.compare.peers import Peer
from benches.compare.peers.base import FORWARDED

HOST = "shop.example.com"


def check(peer: Peer) -> None:
    """Raises `SystemExit` with what is different."""
    status, body = ask(peer.port, "/1k", HOST)
    _expect(peer, "answer", (status, body), (200, b"x" * 1024))
    _, page = ask(peer.port, "/seen", HOST)
    lines = (line.partition(":") for line in page.decode().splitlines())
    seen = {name: value.strip() for name, _, value in lines}
    request_id = seen.pop("X-Request-ID", "")
    expected = {
        "Host": HOST,
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Port": str(peer.port),
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Scheme": "http",
        "X-Scheme": "http",
    }
    assert expected.keys() | {"X-Request-ID"} == {"Host", *FORWARDED}
    _expect(peer, "headers at the backend", seen, expected)
    if not re.fullmatch("[0-9a-f-]{32,36}", request_id):
        raise SystemExit(f"{peer.name}: X-Request-ID at the backend is {request_id!r}")


def ask(port: int, path: str, host: str) -> tuple[int, bytes]:
    """One request, with headers that a client must not be believed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        forged = {"Host": host, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Real-IP": "192.0.2.1"}
        connection.request("GET", path, headers=forged)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _expect(peer: Peer, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{peer.name}: {what}: found {found!r}, expected {expected!r}")
