"""What became of each bound: kept, broken and by how much, or not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benches.compare.peers import PEERS
from benches.compare.rounds import CONFIDENCE, Interval, Measured, differences, figure, interval, ratios
from benches.compare.scenario import EVERY_PEER, Bound, Idle, Scenario

OURS, FLOOR = "fastingress", "bare relay"
RIVALS = tuple(peer.name for peer in PEERS if peer.name not in (OURS, FLOOR))
Results = Mapping[str, Measured]
"""By name of peer."""
State = Literal["kept", "broken", "not settled", "not measured"]


@dataclass(frozen=True)
class Verdict:
    """On one bound of one scenario."""

    scenario: Scenario
    bound: Bound
    found: Interval | None
    """None when something that it is about was not measured."""
    peer: str | None = None
    """The one that it is about, or the best of those."""
    absent: tuple[str, ...] = ()
    """Who is not among every peer, as it was not measured."""

    @property
    def state(self) -> State:
        """Judged by the whole interval: a bound within it is not settled, nor is any by an interval of few rounds."""
        found, most = self.found, self.bound.at_most
        if found is None:
            return "not measured"
        too_few = found.confidence < CONFIDENCE and not isinstance(self.scenario, Idle)  # which has one by nature
        if too_few or found.low <= most < found.high:
            return "not settled"
        return "kept" if found.high <= most else "broken"

    @property
    def metric(self) -> str:
        """What is bounded."""
        name, bound = self.scenario.metric.name, self.bound
        if bound.over:
            return f"{name}, over {bound.over}"
        if not bound.of:
            return name
        if isinstance(bound.of, str) and bound.of != EVERY_PEER:
            return f"{name} to {bound.of}"
        among = bound.of if isinstance(bound.of, str) else " and ".join(bound.of)
        but = f" but {', '.join(self.absent)}" if self.absent else ""
        return f"{name} to the best of {among}{but}" + (f", {self.peer}" if self.peer else "")

    @property
    def figure(self) -> str:
        """What was found."""
        found = self.found
        if found is None:
            return "-"
        if found.low == found.high:
            return self._text(found.median)
        return f"{self._text(found.median)} ({self._text(found.low)} to {self._text(found.high)})"

    @property
    def limit(self) -> str:
        """What it may be at most."""
        return self._text(self.bound.at_most)

    @property
    def word(self) -> str:
        """Kept, or broken and by how much; of one that is not settled, what the median says."""
        found, most = self.found, self.bound.at_most
        if found is None:
            return "not measured"
        excess = self._text(found.median - most) if self.bound.over else f"{found.median / most - 1:.1%}"
        said = f"**broken by {excess}**" if found.median > most else "kept"
        return f"not settled, by the median {said}" if self.state == "not settled" else said

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        if self.found is None:
            return f"{self.metric}, at most {self.limit}: not measured"
        return f"{self.metric} is {self.figure}, at most {self.limit}: {self.word}"

    def _text(self, figure: float) -> str:
        return f"{figure:.2f}" if self.bound.of else self.scenario.metric.text(figure)


def verdicts(scenario: Scenario, results: Results, others: Mapping[str, Results] | None = None) -> list[Verdict]:
    """One for each bound of the scenario. `others` are the results of all scenarios of the run, by name."""
    return [_verdict(scenario, bound, results, others or {}) for bound in scenario.bounds]


def _verdict(scenario: Scenario, bound: Bound, results: Results, others: Mapping[str, Results]) -> Verdict:
    mine = results.get(OURS)
    if mine is None:
        return Verdict(scenario, bound, None)
    if bound.over:
        base = _along(mine).get(bound.over) or others.get(bound.over, {}).get(OURS)
        return Verdict(scenario, bound, interval(differences(mine, base)) if base else None)
    if not bound.of:
        return Verdict(scenario, bound, interval(mine.values))
    peer = _best(bound.of, results)
    absent = tuple(name for name in RIVALS if name not in results) if bound.of == EVERY_PEER else ()
    return Verdict(scenario, bound, interval(ratios(mine, results[peer])) if peer else None, peer, absent)


def _along(mine: Measured) -> Results:
    """What was measured in the same rounds, if anything was."""
    along: Results = getattr(mine, "along", {})
    return along


def _best(of: str | tuple[str, ...], results: Results) -> str | None:
    """The one of these that has the lowest figure, once all of them are measured."""
    if of == EVERY_PEER:
        of = tuple(results.keys() - {OURS, FLOOR})
    names = (of,) if isinstance(of, str) else of
    if not names or not results.keys() >= {*names}:
        return None
    return min(names, key=lambda name: figure(results[name]))
