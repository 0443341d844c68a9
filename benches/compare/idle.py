"""Measures the memory of connections that are kept alive and idle. The client is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benches.compare import process
from benches.compare.peers import Peer
from benches.compare.peers.base import OTHER_CORE
from benches.compare.scenarios import Idle


@dataclass(frozen=True)
class Idled:
    """One peer."""

    connections: int
    before_bytes: int
    after_bytes: int

    @property
    def bytes_each(self) -> float:
        """Resident memory of the proxy for each connection."""
        return (self.after_bytes - self.before_bytes) / self.connections


def measure(scenario: Idle, peers: Sequence[Peer]) -> dict[str, Idled]:
    """By name of peer. Raises `SystemExit` when a connection was not kept."""
    return {peer.name: _one(scenario, peer) for peer in peers}


def _one(scenario: Idle, peer: Peer) -> Idled:
    before = process.memory_bytes(peer.pid)
    command = ["taskset", "-c", str(OTHER_CORE), sys.executable, "-m", "benches.compare.idle_client"]
    command += [str(peer.port_of(scenario.way)), str(scenario.connections), scenario.way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdin is not None
        if client.stdout.readline() != "held\n":
            raise SystemExit(f"{peer.name}: {scenario.connections} connections could not be made")
        after = process.memory_bytes(peer.pid)
        client.stdin.close()
        if client.stdout.readline() != "kept\n":
            raise SystemExit(f"{peer.name}: an idle connection was closed")
    idled = Idled(scenario.connections, before, after)
    print(f"  {peer.name}: {idled.bytes_each / 1024:.2f} KiB each", flush=True)
    return idled
