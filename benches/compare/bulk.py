"""Moves one long body through a peer with curl, and demands that all of it arrived."""

from __future__ import annotations

from pathlib import Path

from benches.compare.client import run
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.scenarios import Bulk

MIB = 1 << 20
SLOWEST = 10
"""MiB a second: what is slower has failed."""


def transfer(scenario: Bulk, peer: Peer) -> tuple[float, float]:
    """The GiB moved, and MiB a second. Raises `SystemExit` when the status is not 200 or a byte is missing."""
    port, size = peer.port_of(scenario.way), scenario.mib * MIB
    scheme = "https" if scenario.way in ("http1-tls", "h2-tls", "passthrough") else "http"
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--insecure"]
    command += ["--http2" if scenario.way == "h2-tls" else "--http1.1", "--resolve", f"{HOST}:{port}:127.0.0.1"]
    # Nothing waits for a 100 (Continue): HTTP/2 has no need of it, so neither may HTTP/1.
    up = ["--upload-file", str(_body(peer.folder, size)), "--header", "Expect:"]
    command += up if scenario.direction == "up" else ["--output", "/dev/null"]
    command += ["--write-out", "\\n%{http_code} %{http_version} %{size_download} %{size_upload} %{time_total}"]
    said = run(peer, [*command, f"{scheme}://{HOST}:{port}/bulk"], scenario.mib / SLOWEST)
    answer, _, numbers = said.rpartition("\n")
    *found, seconds = numbers.split()
    _expect(scenario, peer, answer, found, size)
    return scenario.mib / 1024, scenario.mib / float(seconds)


def _expect(scenario: Bulk, peer: Peer, answer: str, found: list[str], size: int) -> None:
    """The backend answers an upload with the number of bytes that it took."""
    version = "2" if scenario.way == "h2-tls" else "1.1"
    if scenario.direction == "down":
        expected = ["200", version, str(size), "0"]
    else:
        expected = ["200", version, str(len(str(size))), str(size)]
    if found != expected or (scenario.direction == "up" and answer != str(size)):
        raise SystemExit(f"{peer.name}: found {answer!r} {found}, expected {expected}")


def _body(folder: Path, size: int) -> Path:
    """A file that takes no room on the disk."""
    path = folder / "upload"
    with path.open("ab") as file:
        file.truncate(size)
    return path
