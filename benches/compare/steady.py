"""Requests at a rate that is held, by a client of our own (`benches/ends`).

Each request counts from when it was due. h2load gives up a connection that a proxy closes, says that nothing failed,
and asks less.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benches.compare import programs
from benches.compare.client import run
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.scenario import Churn, Latency


@dataclass(frozen=True)
class Held:
    """One turn; percentiles of latency in microseconds."""

    done: int
    failed: int
    """Requests that were sent and got no whole answer. Each was sent again, and counts from when it was first due."""
    again: int
    """Connections that were made because the proxy had closed one."""
    p50: float
    p99: float
    p999: float
    most: float
    changes: int = 0
    """Of routes, meanwhile."""


@dataclass(frozen=True)
class Latencies:
    """All turns of one peer, of one sort."""

    turns: tuple[Held, ...]

    @property
    def values(self) -> list[float]:
        """The 99.9th percentile, by round, in microseconds."""
        return [turn.p999 for turn in self.turns]

    @property
    def percentiles(self) -> dict[str, float]:
        """Medians of the rounds, in microseconds, by name."""
        turns = self.turns
        return {
            "p50": statistics.median(turn.p50 for turn in turns),
            "p99": statistics.median(turn.p99 for turn in turns),
            "p99.9": statistics.median(turn.p999 for turn in turns),
        }


def asked(scenario: Churn | Latency, peer: Peer, rate: int, seconds: int) -> Held:
    """At this rate, or at 0 as fast as it answers."""
    words = ["steady", str(peer.port), HOST, "/1k", str(scenario.connections), str(rate), str(seconds)]
    return held(run(peer, [programs.path(programs.ENDS) or programs.ENDS, *words], seconds))


def held(said: str) -> Held:
    """What the client says of a turn."""
    found = dict(word.split("=") for word in said.split())
    done, failed, again = (int(found.pop(name)) for name in ("done", "failed", "again"))
    p50, p99, p999, most = (float(found.pop(name)) for name in ("p50", "p99", "p999", "most"))
    return Held(done, failed, again, p50, p99, p999, most)
