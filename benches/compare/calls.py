"""Unary calls of gRPC: checked with a client of gRPC's own, made in number with h2load."""

from __future__ import annotations

from pathlib import Path

import grpc

from benches.compare import client
from benches.compare.correct import FORGED, HOST, demand_headers, once_routed
from benches.compare.peers import Peer
from benches.compare.scenario import Calls

ECHO, SEEN = "/bench.Echo/Echo", "/bench.Echo/Seen"
MESSAGE = bytes(range(100))
FRAMED = b"\0" + len(MESSAGE).to_bytes(4, "big") + MESSAGE
"""As it is sent: not compressed, its length, its bytes."""


def check(scenario: Calls, peer: Peer) -> None:
    """A message comes back, with its status in trailers. Raises `SystemExit` when it is otherwise."""
    options = [("grpc.ssl_target_name_override", HOST), ("grpc.enable_http_proxy", 0)]
    trust = grpc.ssl_channel_credentials(root_certificates=peer.pair.chain)
    with grpc.secure_channel(f"127.0.0.1:{peer.port_of(scenario.way)}", trust, options) as channel:
        answer = once_routed(lambda: _call(channel, ECHO, MESSAGE), grpc.RpcError, peer)
        seen = _call(channel, SEEN, b"")
    if answer != MESSAGE:
        raise SystemExit(f"{peer.name}: {answer!r} came back for {MESSAGE!r}")
    demand_headers(peer, scenario.way, seen.decode())


def _call(channel: grpc.Channel, method: str, message: bytes) -> bytes:
    calling: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    forged = tuple((name.lower(), value) for name, value in FORGED.items())
    return calling(message, timeout=10, wait_for_ready=True, metadata=forged)


def made(scenario: Calls, peer: Peer, seconds: int) -> tuple[int, float]:
    """Calls done, and their rate. h2load reads no trailers, but a call that failed has no message."""
    fields = {":authority": HOST, "content-type": "application/grpc", "te": "trailers"}
    arguments = [f"-c{scenario.connections}", f"-m{scenario.streams}", f"-d{_message(peer.folder)}"]
    arguments += [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
    url = f"https://127.0.0.1:{peer.port_of(scenario.way)}{ECHO}"
    found = client.h2load(peer, arguments, url, seconds)
    if found.body_bytes < found.done * len(FRAMED):
        raise SystemExit(
            f"{peer.name}: {found.done} calls got {found.body_bytes} B, and each message has {len(FRAMED)}"
        )
    return found.done, found.per_second


def _message(folder: Path) -> Path:
    path = folder / "message"
    path.write_bytes(FRAMED)
    return path
