"""Before anything is measured: every peer gives the same answers and tells the backend the same about the client."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from benches.compare.peers import Peer
from benches.compare.peers.base import FORWARDED, HSTS
from benches.compare.scenario import Way

Answer = TypeVar("Answer")
HOST = "shop.example.com"
FORGED = {
    "X-Real-IP": "192.0.2.1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "forged.example.com",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Proto": "forged",
    "X-Forwarded-Scheme": "forged",
    "X-Scheme": "forged",
}
"""What a client must not be believed. An identifier of a request may be the client's own: not all make one anew."""
ROUTED_WITHIN_SECONDS = 60
"""With 10,000 hosts Traefik takes the half of it."""


def check(peer: Peer, way: Way) -> None:
    """Raises `SystemExit` with what is different."""
    port = peer.port_of(way)
    answer = once_routed(lambda: good(port, way), httpx.HTTPError, peer)
    _expect(peer, "answer", (answer.status_code, answer.content), (200, b"x" * 1024))
    if peer.is_floor:
        return
    strict = HSTS if way.endswith("tls") else None
    _expect(peer, "Strict-Transport-Security", answer.headers.get("Strict-Transport-Security"), strict)
    demand_headers(peer, way, ask(port, "/seen", HOST, way).text)


def demand_headers(peer: Peer, way: Way, lines: str) -> None:
    """That the backend was told what all peers tell it. Raises `SystemExit` with what is different.

    `lines` has a field on each, as the backend saw it; those that are not forwarded ones are nobody's concern.
    """
    port = peer.port_of(way)
    scheme = "https" if way.endswith("tls") else "http"
    told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines.splitlines())}
    seen = {name: told.get(name.lower(), "") for name in ("Host", *FORWARDED)}
    request_id = seen.pop("X-Request-ID", "")
    expected = {
        "Host": HOST,
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Port": str(port),
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Scheme": scheme,
        "X-Scheme": scheme,
    }
    assert expected.keys() | {"X-Request-ID"} == {"Host", *FORWARDED}
    _expect(peer, "headers at the backend", seen, expected)
    if "X-Request-ID" in peer.lacks:
        return
    if not re.fullmatch("[0-9a-f-]{32,36}", request_id):
        raise SystemExit(f"{peer.name}: X-Request-ID at the backend is {request_id!r}")


def once_routed(attempt: Callable[[], Answer], failure: type[Exception], peer: Peer) -> Answer:
    """What an attempt comes to. Some take connections before they have read where these lead: it is made for a while.

    Raises `SystemExit` with the last failure.
    """
    end = time.monotonic() + ROUTED_WITHIN_SECONDS
    while True:
        try:
            return attempt()
        except failure as error:
            if time.monotonic() > end:
                raise SystemExit(f"{peer.name}: {error!r}") from None
        time.sleep(0.05)


def good(port: int, way: Way) -> httpx.Response:
    """A short answer. Raises `httpx.HTTPError` when it is none."""
    return ask(port, "/1k", HOST, way).raise_for_status()


def ask(port: int, path: str, host: str, way: Way) -> httpx.Response:
    """One request, with headers that a client must not be believed."""
    http2 = way.startswith("h2")
    scheme = "https" if way.endswith("tls") else "http"
    with httpx.Client(http1=not http2, http2=http2, verify=False, trust_env=False, timeout=10) as client:
        url = f"{scheme}://127.0.0.1:{port}{path}"
        answer = client.get(url, headers={"Host": host, **FORGED}, extensions={"sni_hostname": host})
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        return answer


def _expect(peer: Peer, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{peer.name}: {what}: found {found!r}, expected {expected!r}")
