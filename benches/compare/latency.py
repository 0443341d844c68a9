"""Measures latency at a rate that is held, well under what any of the peers can do and the same for all of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benches.compare import progress
from benches.compare.load import WARM_UP_SECONDS
from benches.compare.peers import Peer
from benches.compare.scenario import Latency
from benches.compare.steady import Held, Latencies, asked
from benches.compare.turns import in_turn, take

SHORTFALL = 0.98
"""The part of the requests that has to be answered: with less the rate was not held."""


@dataclass(frozen=True)
class Paced:
    """All turns of one peer."""

    turns: tuple[Held, ...]

    @property
    def values(self) -> list[float]:
        """The 99th percentile, by round, in microseconds."""
        return [turn.p99 for turn in self.turns]

    @property
    def percentiles(self) -> dict[str, float]:
        """Medians of the rounds, in microseconds, by name."""
        return Latencies(self.turns).percentiles

    @property
    def beside(self) -> str:
        """Those, to read."""
        shown = (f"{name} {value / 1000:.2f} ms" for name, value in self.percentiles.items())
        most = statistics.median(turn.most for turn in self.turns)
        return f"{', '.join(shown)}, most {most / 1000:.1f} ms"


def measure(scenario: Latency, peers: Sequence[Peer]) -> dict[str, Paced]:
    """By name of peer, but those that failed a request, or did not hold the rate."""
    turns: dict[str, list[Held]] = {peer.name: [] for peer in peers}

    def warm_up(peer: Peer) -> None:
        asked(scenario, peer, scenario.rate, WARM_UP_SECONDS)

    def one(peer: Peer) -> None:
        turns[peer.name].append(turn(scenario, peer))
        progress.turn(scenario, peer.name, number + 1, scenario.metric.text(turns[peer.name][-1].p99))

    for peer in peers:
        take(peer, warm_up)
    for number in range(scenario.rounds):
        for peer in in_turn(peers, number):
            take(peer, one)
    return {peer.name: Paced(tuple(turns[peer.name])) for peer in peers if not peer.failure}


def turn(scenario: Latency, peer: Peer) -> Held:
    """One."""
    held = asked(scenario, peer, scenario.rate, scenario.seconds)
    wanted = scenario.rate * scenario.seconds
    if held.failed or held.done < SHORTFALL * wanted:
        raise SystemExit(f"{peer.name}: of {wanted} requests {held.done} were answered, and {held.failed} failed")
    return held
