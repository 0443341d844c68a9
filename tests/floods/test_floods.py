"""Beside every flood of HTTP/2 frames normal load has no error and memory a bound; the flood is ended and counted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.floods.kinds import CALM, FLOODS, MIB, TIMED_OUT
from tests.floods.load import Counted, normal_load
from tests.support.fixtures import Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.nginx import nginx as running_nginx
from tests.support.proc import resident_bytes
from tests.support.process import Process

BROKEN = "http2_error"
COUNTER = "fastingress_http2_floods_total"
BACKEND = """
server {{
    listen %PORT%;
    location / {{ return 200 'hello'; }}
    location = /big {{ root {folder}; }}
    location = /waits {{ proxy_pass http://127.0.0.1:9; }}  # nowhere, once the whole body is there
}}
"""
QUICK = {"head_timeout": "1s", "body_timeout": "1s", "idle_timeout": "1s"}
"""So that what is slow and not much is ended within the time of a test."""


@pytest.fixture
def flood_seconds(request: pytest.FixtureRequest) -> float:
    """How long each flood lasts."""
    seconds: float = request.config.getoption("--flood-seconds")
    return seconds


@pytest.fixture
def gateway(nginx: None, h2load: None, spawn: Spawn, tmp_path: Path) -> Iterator[Process]:
    """In front of nginx, which has a page `/big` of a MiB."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "big").write_bytes(b"x" * MIB)
    with running_nginx(tmp_path / "nginx", BACKEND.format(folder=pages)) as (backend,):
        plain = ingress("web", Rule("web"), annotations={"ssl-redirect": "false"})
        yield spawn(service("web", f"{backend[0]}:{backend[1]}"), plain, h2c=True, workers=2, **QUICK)


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_beside_normal_load(gateway: Process, flood_seconds: float, name: str) -> None:
    flood = FLOODS[name]
    before = _counters(gateway)
    with normal_load(gateway.http, gateway.https, flood_seconds) as load, _peak(gateway.pid) as growth:
        outcome = _flooded(gateway, name, flood_seconds)
        counted = load.counted()
    caught = {kind: value - before[kind] for kind, value in _counters(gateway).items() if value > before[kind]}
    farewells = set(outcome["goaways"])
    ended = sum(outcome["goaways"].values())
    counts = sum(caught.get(kind, 0) for kind in (*flood.counted_as, BROKEN))
    promises = {
        "the flood takes place": outcome["connections"] > 0 and outcome["sent_bytes"] > 0,
        "normal load has no error": all(each.errors == 0 for each in counted),
        f"memory grows by less than {flood.growth // MIB} MiB": max(growth) < flood.growth,
        f"connections end with {flood.codes}": farewells <= set(flood.codes) and (ended > 0 or flood.lasts),
        "none is closed without a word": outcome["closed_silently"] == 0,
        f"each end is counted as {flood.counted_as}": counts >= max(1, ended) if flood.counted_as else not caught,
    }
    seen = f"{max(growth) / MIB:.0f} MiB more; caught {caught}; {outcome}"
    assert [promise for promise, kept in promises.items() if not kept] == [], f"{seen}; {_errors(counted)}"


def test_a_flood_over_tls_is_ended_too(gateway: Process, flood_seconds: float) -> None:
    outcome = _flooded(gateway, "rapid-reset", flood_seconds, tls=True)
    assert set(outcome["goaways"]) == {CALM}
    assert outcome["closed_silently"] == 0
    assert gateway.get("/").status == 200


def _flooded(gateway: Process, name: str, seconds: float, *, tls: bool = False) -> dict[str, Any]:
    """Runs a flood in a process of its own."""
    host, port = gateway.https if tls else gateway.http
    command = [sys.executable, "-m", "tests.floods", f"{host}:{port}", name, "--seconds", str(seconds)]
    command += ["--tls"] if tls else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def _counters(gateway: Process) -> dict[str, float]:
    """By kind, of connections that ended because they broke the protocol, and of requests whose bodies did not come."""
    metrics = gateway.metrics()
    floods = {labels["kind"]: value for name, labels, value in metrics.samples if name == COUNTER}
    broken = metrics.sum("fastingress_refused_total", reason=BROKEN)
    return {**floods, BROKEN: broken, TIMED_OUT: metrics.sum("fastingress_requests_total", code=TIMED_OUT)}


def _errors(counted: list[Counted]) -> str:
    return "; ".join(
        f"{each.name}: {each.errors} of {each.asked} failed: {each.said}" for each in counted if each.errors
    )


@contextmanager
def _peak(pid: int) -> Iterator[list[int]]:
    """By how many bytes the resident memory stood above the start, every 20 ms."""
    first = resident_bytes(pid)
    over = threading.Event()
    seen = [0]

    def look() -> None:
        while not over.wait(0.02):
            seen.append(resident_bytes(pid) - first)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join(10)
