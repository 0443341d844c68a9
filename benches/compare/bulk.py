"""Moves one long body after the other through a peer with curl, and demands that all of each arrived."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import httpx

from benches.compare import correct
from benches.compare.client import CIPHER, run
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.scenario import Bulk, Way

MIB = 1 << 20
MIB_PER_CONNECTION = 256
SLOWEST = 10
"""MiB a second: what is slower has failed."""


def check(scenario: Bulk, peer: Peer) -> None:
    """What comes and goes is the same byte for byte, and but for streams the backend is told what all tell it.

    Raises `SystemExit` with what is different. Later only lengths are looked at.
    """
    port = peer.port_of(scenario.way)
    if scenario.way in ("passthrough", "tcp"):
        correct.once_routed(lambda: correct.good(port, _spoken(scenario)), httpx.HTTPError, peer)
    else:
        correct.check(peer, scenario.way)
    url = f"{'https' if _secure(scenario) else 'http'}://127.0.0.1:{port}"
    http2 = scenario.way == "h2-tls"
    asked: dict[str, Any] = {"headers": {"Host": HOST}, "extensions": {"sni_hostname": HOST}}
    with httpx.Client(http1=not http2, http2=http2, verify=False, trust_env=False, timeout=60) as client:
        with client.stream("GET", f"{url}/bulk", **asked) as answer:
            came = [len(piece) for piece in answer.iter_raw() if not any(piece)]
        sent = os.urandom(MIB) * min(scenario.mib, 8)
        took = client.put(f"{url}/sum", content=sent, **asked).text
    if sum(came) != scenario.mib * MIB:
        raise SystemExit(f"{peer.name}: {sum(came)} bytes came as they were sent, of {scenario.mib} MiB")
    if took != str(zlib.crc32(sent)):
        raise SystemExit(f"{peer.name}: an upload has the checksum {took} at the backend, and not {zlib.crc32(sent)}")


def _secure(scenario: Bulk) -> bool:
    return scenario.way in ("http1-tls", "h2-tls", "passthrough")


def _spoken(scenario: Bulk) -> Way:
    """What clients speak to the backend through a stream."""
    return "http1-tls" if _secure(scenario) else "http1"


def transfers(scenario: Bulk, peer: Peer, seconds: float) -> tuple[float, float]:
    """Makes them for about so long, some on each connection: the GiB moved, and MiB a second while they were.

    Raises `SystemExit` when a status is not 200 or a byte is missing.
    """
    took: list[float] = []
    while sum(took) < seconds:
        took += _some(scenario, peer, max(1, MIB_PER_CONNECTION // scenario.mib))
    mib = scenario.mib * len(took)
    return mib / 1024, mib / sum(took)


def _some(scenario: Bulk, peer: Peer, count: int) -> list[float]:
    """So many on one connection, one after the other: the seconds of each."""
    port, size = peer.port_of(scenario.way), scenario.mib * MIB
    scheme = "https" if _secure(scenario) else "http"
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--insecure"]
    command += ["--tls13-ciphers", CIPHER] if scheme == "https" else []
    command += ["--http2" if scenario.way == "h2-tls" else "--http1.1", "--resolve", f"{HOST}:{port}:127.0.0.1"]
    # Nothing waits for a 100 (Continue): HTTP/2 has no need of it, so neither may HTTP/1.
    up = ["--upload-file", str(_body(peer.folder, size)), "--header", "Expect:"]
    command += up if scenario.direction == "up" else ["--output", "/dev/null"]
    command += ["--write-out", "\\n%{http_code} %{http_version} %{size_download} %{size_upload} %{time_total}\\n"]
    url = f"{scheme}://{HOST}:{port}/bulk?[1-{count}]"
    said = run(peer, [*command, url], scenario.mib * count / SLOWEST).splitlines()
    if len(said) != 2 * count:
        raise SystemExit(f"{peer.name}: {len(said) // 2} transfers of {count}: {said}")
    return [_seconds(scenario, peer, *each) for each in zip(said[::2], said[1::2], strict=True)]


def _seconds(scenario: Bulk, peer: Peer, answer: str, numbers: str) -> float:
    """Of one transfer. The backend answers an upload with the number of bytes that it took."""
    *found, seconds = numbers.split()
    size, version = str(scenario.mib * MIB), "2" if scenario.way == "h2-tls" else "1.1"
    if scenario.direction == "down":
        body, expected = "", ["200", version, size, "0"]
    else:
        body, expected = size, ["200", version, str(len(size)), size]
    if found != expected or answer != body:
        raise SystemExit(f"{peer.name}: found {answer!r} {found}, expected {body!r} {expected}")
    return float(seconds)


def _body(folder: Path, size: int) -> Path:
    """A file that takes no room on the disk."""
    path = folder / "upload"
    with path.open("ab") as file:
        file.truncate(size)
    return path
