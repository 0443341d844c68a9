"""Measures the memory of connections that are kept alive and idle. The client is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benches.compare import process
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.peers.base import OTHER_CORE
from benches.compare.scenarios import Idle

CLIENT = """
import resource, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
request = b"GET /1k HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n"
held = []
for _ in range(count):
    one = socket.create_connection(("127.0.0.1", port), 10)
    one.sendall(request)
    answer = b""
    while b"x" * 1024 not in answer:
        data = one.recv(65536)
        assert data, "closed"
        answer += data
    held.append(one)
print("held", flush=True)
sys.stdin.read()
for one in held:
    one.setblocking(False)
    try:
        assert one.recv(1), "closed while idle"
    except BlockingIOError:
        pass
print("kept", flush=True)
"""


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
    command = ["taskset", "-c", str(OTHER_CORE), sys.executable, "-c", CLIENT.replace("{host}", HOST)]
    command += [str(peer.port), str(scenario.connections)]
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
