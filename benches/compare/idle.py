"""Measures the memory of connections that are kept alive and idle. The client is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benches.compare import process, progress
from benches.compare.cores import OTHER_CORE
from benches.compare.peers import Peer
from benches.compare.scenario import Idle
from benches.compare.turns import take

# What first connections make and later ones share is start-up. They are too few for what they leave behind to count.
WARM_UP_PART = 100
SETTLED_BYTES = 64 * 1024
SETTLED_SECONDS = 0.5


@dataclass(frozen=True)
class Idled:
    """One peer."""

    connections: int
    before_bytes: int
    after_bytes: int

    @property
    def values(self) -> list[float]:
        """Resident memory of the proxy for each connection, in bytes: one round."""
        return [(self.after_bytes - self.before_bytes) / self.connections]

    @property
    def beside(self) -> str:
        """The whole, without them and with them."""
        return f"{self.before_bytes / 2**20:.1f} MiB, {self.after_bytes / 2**20:.1f} MiB"


def measure(scenario: Idle, peers: Sequence[Peer]) -> dict[str, Idled]:
    """By name of peer, but those that did not keep a connection."""
    found: dict[str, Idled] = {}

    def one(peer: Peer) -> None:
        found[peer.name] = _one(scenario, peer)

    for peer in peers:
        take(peer, one)
    return found


def _one(scenario: Idle, peer: Peer) -> Idled:
    with _held(scenario, peer, scenario.connections // WARM_UP_PART):
        pass
    before = _settled(peer)
    with _held(scenario, peer, scenario.connections):
        after = _settled(peer)
    idled = Idled(scenario.connections, before, after)
    progress.turn(scenario, peer.name, 1, f"{scenario.metric.text(idled.values[0])} each")
    return idled


@contextmanager
def _held(scenario: Idle, peer: Peer, count: int) -> Iterator[None]:
    """So many connections, each with one answer, for as long as this lasts."""
    command = ["taskset", "-c", str(OTHER_CORE), sys.executable, "-m", "benches.compare.idle_client"]
    command += [str(peer.port_of(scenario.way)), str(count), scenario.way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdin is not None
        if client.stdout.readline() != "held\n":
            raise SystemExit(f"{peer.name}: {count} connections could not be made")
        yield
        client.stdin.close()
        if client.stdout.readline() != "kept\n":
            raise SystemExit(f"{peer.name}: an idle connection was closed")


def _settled(peer: Peer) -> int:
    """Memory once it stands still, for a while at most: what a close or an answer sets free goes a little later."""
    last = process.memory_bytes(peer.pid)
    for _ in range(20):
        time.sleep(SETTLED_SECONDS)
        now = process.memory_bytes(peer.pid)
        if abs(now - last) < SETTLED_BYTES:
            return now
        last = now
    return last
