"""What is measured, as data. A new scenario is a new entry here."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Load:
    """Requests over kept connections as fast as they go; the figure is processor time of the proxy per request."""

    name: str
    what: str
    connections: int
    path: str
    rounds: int
    seconds: int

    def quick(self) -> Load:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)


@dataclass(frozen=True)
class Idle:
    """Connections that have had one answer and wait; the figure is resident memory of the proxy for each."""

    name: str
    what: str
    connections: int

    def quick(self) -> Idle:
        """The same, only to see that it works."""
        return replace(self, connections=1000)


Scenario = Load | Idle

SCENARIOS: tuple[Scenario, ...] = (
    Load(
        name="http1-1k",
        what="connections kept alive, HTTP/1.1, 1 KiB answers, all forwarded headers, one worker",
        connections=64,
        path="/1k",
        rounds=7,
        seconds=8,
    ),
    Idle(
        name="idle",
        what="connections kept alive and idle after one request, one worker",
        connections=10_000,
    ),
)
