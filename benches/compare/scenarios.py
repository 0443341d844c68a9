"""What is measured, as data. A new scenario is a new entry here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Way = Literal["http1", "h2c", "http1-tls", "h2-tls"]
"""How clients speak to the proxy: each peer has a port for each, and some ports serve several."""


@dataclass(frozen=True)
class Load:
    """Requests over kept connections as fast as they go; the figure is processor time of the proxy per request."""

    name: str
    what: str
    connections: int
    path: str
    rounds: int
    seconds: int
    way: Way = "http1"
    streams: int = 1
    """Requests at once on each connection."""

    def quick(self) -> Load:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)


@dataclass(frozen=True)
class Handshakes:
    """Full handshakes of TLS 1.3, one after the other; the figure is processor time of the proxy for each."""

    name: str
    what: str
    rounds: int
    seconds: int
    connections: int = 1
    way: Way = "http1-tls"

    def quick(self) -> Handshakes:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)


@dataclass(frozen=True)
class Idle:
    """Connections that have had one answer and wait; the figure is resident memory of the proxy for each."""

    name: str
    what: str
    connections: int
    way: Way = "http1"

    def quick(self) -> Idle:
        """The same, only to see that it works."""
        return replace(self, connections=1000)


Scenario = Load | Handshakes | Idle

SCENARIOS: tuple[Scenario, ...] = (
    Load(
        name="http1-1k",
        what="connections kept alive, HTTP/1.1, 1 KiB answers, all forwarded headers, one worker",
        connections=64,
        path="/1k",
        rounds=7,
        seconds=8,
    ),
    Load(
        name="h2-tls",
        what="connections with 16 streams each, HTTP/2 over TLS 1.3, 1 KiB answers, all forwarded headers, one worker",
        connections=16,
        path="/1k",
        rounds=7,
        seconds=8,
        way="h2-tls",
        streams=16,
    ),
    Load(
        name="h2c",
        what="connections with 16 streams each, HTTP/2 without TLS, 1 KiB answers, all forwarded headers, one worker",
        connections=16,
        path="/1k",
        rounds=7,
        seconds=8,
        way="h2c",
        streams=16,
    ),
    Handshakes(
        name="tls-handshake",
        what="client that makes full handshakes of TLS 1.3, ECDSA P-256, X25519, one worker",
        rounds=7,
        seconds=6,
    ),
    Idle(
        name="idle",
        what="connections kept alive and idle after one request, one worker",
        connections=10_000,
    ),
    Idle(
        name="idle-http1-tls",
        what="connections of HTTP/1.1 over TLS 1.3, kept alive and idle after one request, one worker",
        connections=5_000,
        way="http1-tls",
    ),
    Idle(
        name="idle-h2-tls",
        what="connections of HTTP/2 over TLS 1.3, kept alive and idle after one request, one worker",
        connections=5_000,
        way="h2-tls",
    ),
)
