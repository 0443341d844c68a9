"""Measures processor time per request under load. Peers take turns, round after round, so that drift hits all."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from benches.compare import process
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.peers.base import OTHER_CORE
from benches.compare.scenarios import Load

WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Turn:
    """One peer, one round."""

    requests: int
    requests_per_second: float
    cpu_microseconds: float
    """Of the proxy's whole process tree, per request."""


@dataclass(frozen=True)
class Loaded:
    """All rounds of one peer."""

    turns: tuple[Turn, ...]

    @property
    def cpu_microseconds(self) -> float:
        """The median per request."""
        return statistics.median(turn.cpu_microseconds for turn in self.turns)

    @property
    def requests_per_second(self) -> float:
        """The median."""
        return statistics.median(turn.requests_per_second for turn in self.turns)

    def ratios_to(self, other: Loaded) -> list[float]:
        """Of processor time per request, round by round."""
        pairs = zip(self.turns, other.turns, strict=True)
        return [mine.cpu_microseconds / its.cpu_microseconds for mine, its in pairs]


def measure(scenario: Load, peers: Sequence[Peer]) -> dict[str, Loaded]:
    """By name of peer. Raises `SystemExit` when a request failed."""
    turns: dict[str, list[Turn]] = {peer.name: [] for peer in peers}
    for peer in peers:
        wrk(scenario, peer, WARM_UP_SECONDS)
    for number in range(scenario.rounds):
        for peer in peers:
            turns[peer.name].append(_turn(scenario, peer))
            print(f"  round {number + 1}: {peer.name} {turns[peer.name][-1].cpu_microseconds:.1f} us", flush=True)
    return {name: Loaded(tuple(each)) for name, each in turns.items()}


def _turn(scenario: Load, peer: Peer) -> Turn:
    before = process.cpu_nanoseconds(peer.pid)
    requests, rate = wrk(scenario, peer, scenario.seconds)
    spent = process.cpu_nanoseconds(peer.pid) - before
    return Turn(requests, rate, spent / requests / 1000)


def wrk(scenario: Load, peer: Peer, seconds: int) -> tuple[int, float]:
    """Requests done, and their rate."""
    command = ["taskset", "-c", str(OTHER_CORE), "wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s"]
    command += ["-H", f"Host: {HOST}", f"http://127.0.0.1:{peer.port}{scenario.path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    failed = re.search(r"Socket errors:.*|Non-2xx.*", said)
    done, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s*([\d.]+)", said)
    if failed or not done or not rate:
        raise SystemExit(f"{peer.name}: the load failed:\n{said}")
    return int(done[1]), float(rate[1])
