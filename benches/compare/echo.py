"""WebSockets whose messages come back: checked with a client of Python's, driven in number by one of our own."""

from __future__ import annotations

import re
import socket

from websockets.exceptions import InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from benches.compare import programs
from benches.compare.client import run
from benches.compare.correct import FORGED, HOST, demand_headers, once_routed
from benches.compare.peers import Peer
from benches.compare.scenario import Echo

BINARY = bytes(range(64))


def check(scenario: Echo, peer: Peer) -> None:
    """Messages come back as they went. Raises `SystemExit` when it is otherwise."""
    with once_routed(lambda: _opened(peer.port_of(scenario.way)), InvalidHandshake, peer) as client:
        client.send(BINARY)
        answer = client.recv(10)
        client.send("seen")
        seen = client.recv(10)
    if answer != BINARY or not isinstance(seen, str):
        raise SystemExit(f"{peer.name}: {answer!r} came back for {BINARY!r}")
    if not peer.is_floor:
        demand_headers(peer, scenario.way, seen)


def _opened(port: int) -> ClientConnection:
    sock = socket.create_connection(("127.0.0.1", port), 10)
    return connect(f"ws://{HOST}/echo", sock=sock, compression=None, proxy=None, additional_headers=FORGED)


def talked(scenario: Echo, peer: Peer, seconds: int) -> tuple[int, float]:
    """Messages that came back, and their rate. Raises `SystemExit` when one came back as another, or not at all."""
    words = ["talk", str(peer.port_of(scenario.way)), HOST, str(scenario.connections), str(seconds)]
    said = run(peer, [programs.path(programs.ENDS) or programs.ENDS, *words], seconds)
    done = re.fullmatch(r"done=(\d+)\n", said)
    if not done or not int(done[1]):
        raise SystemExit(f"{peer.name}: the load failed:\n{said}")
    return int(done[1]), int(done[1]) / seconds
