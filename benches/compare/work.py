"""Before load is measured: every peer does what the scenario asks for, beside what all ask for (`correct.py`)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from benches.compare import correct
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.scenario import HOST_PATHS, Load

LENGTHS = {"/0": 0, "/1k": 1 << 10, "/16k": 16 << 10, "/256k": 256 << 10, "/take": 1 << 10}
"""Of answers, by path."""
LOGGED_REQUESTS = 5
LOGGED_WITHIN_SECONDS = 15
CLIENT = "looked-for-in-the-log"


def check(scenario: Load, peer: Peer) -> None:
    """Raises `SystemExit` with what is different."""
    correct.check(peer, scenario.way)
    with httpx.Client(
        http1=scenario.way.startswith("http1"),
        http2=scenario.way.startswith("h2"),
        verify=False,
        trust_env=False,
        timeout=10,
    ) as client:
        _check_answer(scenario, peer, client)
        if scenario.body:
            _check_body(scenario, peer, client)
        if scenario.site.hosts:
            _check_hosts(scenario, peer, client)
        if scenario.site.logged:
            _check_log(scenario, peer, client)


def _ask(scenario: Load, peer: Peer, client: httpx.Client, body: bytes) -> httpx.Response:
    scheme = "https" if scenario.way.endswith("tls") else "http"
    return client.request(
        "POST" if scenario.body else "GET",
        f"{scheme}://127.0.0.1:{peer.port_of(scenario.way)}{scenario.path}",
        headers={"Host": HOST, **({"Connection": "close"} if scenario.closes else {})},
        content=body,
        extensions={"sni_hostname": HOST},
    )


def _check_answer(scenario: Load, peer: Peer, client: httpx.Client) -> None:
    answer = _ask(scenario, peer, client, b"x" * scenario.body)
    found, expected = (answer.status_code, answer.content), (200, b"x" * LENGTHS[scenario.path])
    if found != expected:
        raise SystemExit(f"{peer.name}: {scenario.path} is answered {found[0]} with {len(found[1])} bytes")
    if scenario.closes and answer.headers.get("Connection", "").lower() != "close":
        raise SystemExit(f"{peer.name}: a connection is kept that was to be closed")


def _check_body(scenario: Load, peer: Peer, client: httpx.Client) -> None:
    """The backend looks at bodies, so what it answers under load says that they arrived."""
    for other in (b"x" * (scenario.body - 1), b"x" * (scenario.body - 1) + b"y"):
        if (status := _ask(scenario, peer, client, other).status_code) != 400:
            raise SystemExit(f"{peer.name}: another body than the right one is answered {status}")


def _check_hosts(scenario: Load, peer: Peer, client: httpx.Client) -> None:
    """Some of the hosts lead to the backend, with the same headers; a host that is not there does not."""
    names, url = scenario.site.names, f"http://127.0.0.1:{peer.port_of(scenario.way)}"
    for name in {names[0], names[len(names) // 2], names[-1]}:
        for path in HOST_PATHS:
            answer = client.get(f"{url}{path}{scenario.path}", headers={"Host": name})
            if (answer.status_code, len(answer.content)) != (200, LENGTHS[scenario.path]):
                raise SystemExit(f"{peer.name}: {name}{path} is answered {answer.status_code}")
            if not peer.is_floor:
                seen = client.get(f"{url}{path}/seen", headers={"Host": name}).text
                correct.demand_headers(peer, scenario.way, seen.replace(name, HOST))
    other = client.get(f"{url}{HOST_PATHS[0]}{scenario.path}", headers={"Host": "nobody.example.com"})
    if not peer.is_floor and len(other.content) == LENGTHS[scenario.path]:
        raise SystemExit(f"{peer.name}: a host that is not configured leads to the backend")


def _check_log(scenario: Load, peer: Peer, client: httpx.Client) -> None:
    """One line for each request, with what the others write. Some write after a while."""
    client.headers["User-Agent"] = CLIENT
    for _ in range(LOGGED_REQUESTS):
        _ask(scenario, peer, client, b"x" * scenario.body)
    end = time.monotonic() + LOGGED_WITHIN_SECONDS
    while len(lines := _lines(peer)) < LOGGED_REQUESTS and time.monotonic() < end:
        time.sleep(0.05)
    if len(lines) != LOGGED_REQUESTS:
        raise SystemExit(f"{peer.name}: {len(lines)} lines in the access log for {LOGGED_REQUESTS} requests")
    expected = {"127.0.0.1", "POST" if scenario.body else "GET", HOST, scenario.path, "200", CLIENT}
    for line in lines:
        if missing := expected - {*_values(json.loads(line))}:
            raise SystemExit(f"{peer.name}: the access log does not say {', '.join(sorted(missing))}: {line}")


def _lines(peer: Peer) -> list[str]:
    """Whole lines on the requests of this check."""
    if not peer.log.exists():
        return []
    lines = peer.log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if f'"{CLIENT}"' in line and line.endswith("\n")]


def _values(written: Any) -> Iterator[str]:
    """Of all fields, however deep. Names are each proxy's own."""
    if isinstance(written, dict | list):
        for each in written.values() if isinstance(written, dict) else written:
            yield from _values(each)
    else:
        yield str(written)
