"""What is kept of a run, as JSON: enough to write every table and picture from it again, on another machine too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from benches.compare.machine import Machine
from benches.compare.rounds import Measured, figure, interval, ratios
from benches.compare.scenario import Scenario, title
from benches.compare.scenarios import SCENARIOS
from benches.compare.verdict import Verdict, verdicts

BASE = "nginx"
"""What ratios are taken to."""

Results = Mapping[str, Any]
"""What was measured in one scenario, by name of peer."""


class Spread(msgspec.Struct, frozen=True):
    """A median, and between what it lies with this confidence."""

    median: float
    low: float
    high: float
    confidence: float


class PeerFound(msgspec.Struct, frozen=True):
    """One peer in one scenario."""

    name: str
    shown: str
    """The median of its rounds, with the unit."""
    median: float
    """In the scenario's unit."""
    to_base: Spread | None
    beside: str
    percentiles: dict[str, float]
    """Of latency, in microseconds, by name such as `p99.9`; empty where no latency was measured."""
    values: list[float]
    """By round, as they were measured."""
    measured: Any


class BoundFound(msgspec.Struct, frozen=True):
    """What became of one bound."""

    metric: str
    found: str
    at_most: str
    word: str
    """Kept, or broken by how much."""
    state: str
    """`kept`, `broken`, `not settled` or `not measured`."""
    sentence: str
    """All of it in one line."""
    promised: bool = True
    """It is one that this project is held to."""


class ScenarioFound(msgspec.Struct, frozen=True):
    """One scenario."""

    name: str
    title: str
    metric: str
    unit: str
    beside: str
    rounds: int
    peers: list[PeerFound]
    bounds: list[BoundFound]
    left_out: dict[str, str]
    """Peers that were not timed, and why."""
    declared: Any


class Record(msgspec.Struct, frozen=True):
    """One run."""

    machine: Machine
    versions: dict[str, str]
    """Of the proxies."""
    scenarios: list[ScenarioFound]
    tools: dict[str, str] = {}
    """Versions of what makes load and of what is behind the proxies."""
    absent: list[str] = []
    """A line on each proxy that took no part in some scenarios, and why."""
    further: list[Machine] = []
    """The same machine in further runs, where scenarios come from several."""

    def bounds(self, state: str) -> list[tuple[ScenarioFound, BoundFound]]:
        """All that have come to this."""
        return [(each, bound) for each in self.scenarios for bound in each.bounds if bound.state == state]


def record(
    machine: Machine,
    versions: Mapping[str, str],
    found: Mapping[Scenario, Results],
    left_out: Mapping[Scenario, Mapping[str, str]],
    tools: Mapping[str, str],
    absent: Sequence[str],
) -> Record:
    """From what was measured so far."""
    others = {scenario.name: results for scenario, results in found.items()}
    scenarios = [
        _scenario(scenario, results, verdicts(scenario, results, others), left_out.get(scenario, {}))
        for scenario, results in found.items()
    ]
    return Record(machine, dict(versions), scenarios, dict(tools), list(absent))


def joined(runs: Sequence[Record]) -> Record:
    """Scenarios of several runs on one machine; one that several have is the last run's. No ratio is of two runs.

    Raises `SystemExit` when the machines differ.
    """
    first, *others = runs
    for other in others:
        if (one := first.machine.facts) != (another := other.machine.facts):
            both = " and ".join(map("; ".join, (one, another)))
            raise SystemExit(f"runs of two machines are not to be compared: {both}")
    order = {scenario.name: place for place, scenario in enumerate(SCENARIOS)}
    found = {each.name: each for run in runs for each in run.scenarios}
    return Record(
        machine=first.machine,
        versions=_all_of([run.versions for run in runs]),
        scenarios=sorted(found.values(), key=lambda each: order.get(each.name, len(order))),
        tools=_all_of([run.tools for run in runs]),
        absent=list(dict.fromkeys(line for run in runs for line in run.absent)),
        further=[*first.further, *(machine for other in others for machine in (other.machine, *other.further))],
    )


def _all_of(named: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """By name, and where they differ all of them."""
    names = dict.fromkeys(name for each in named for name in each)
    return {name: " and ".join(dict.fromkeys(each[name] for each in named if name in each)) for name in names}


def to_json(kept: Record) -> bytes:
    """Indented, for people read it, too."""
    return msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"


def from_json(data: bytes) -> Record:
    """Raises `msgspec.DecodeError` when it is something else."""
    return msgspec.json.decode(data, type=Record)


def _scenario(
    scenario: Scenario, results: Results, judged: Sequence[Verdict], left_out: Mapping[str, str]
) -> ScenarioFound:
    return ScenarioFound(
        name=scenario.name,
        title=title(scenario),
        metric=scenario.metric.name,
        unit=scenario.metric.unit,
        beside=scenario.beside,
        rounds=max((len(result.values) for result in results.values()), default=0),
        peers=[_peer(scenario, name, result, results.get(BASE)) for name, result in results.items()],
        bounds=[_bound(verdict) for verdict in judged],
        left_out=dict(left_out),
        declared=_plain(asdict(scenario)),
    )


def _peer(scenario: Scenario, name: str, result: Any, base: Measured | None) -> PeerFound:
    median = figure(result)
    return PeerFound(
        name=name,
        shown=scenario.metric.text(median),
        median=median / scenario.metric.units,
        to_base=_to(result, base),
        beside=result.beside,
        percentiles=dict(getattr(result, "percentiles", {})),
        values=list(result.values),
        measured=_plain(asdict(result)),
    )


def _to(result: Measured, base: Measured | None) -> Spread | None:
    """None also where the base is nothing: memory of connections may come to 0."""
    if base is None or not all(base.values):
        return None
    found = interval(ratios(result, base))
    return Spread(found.median, found.low, found.high, found.confidence)


def _plain(value: Any) -> Any:
    """As it comes back out of JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _bound(verdict: Verdict) -> BoundFound:
    return BoundFound(
        verdict.metric,
        verdict.figure,
        verdict.limit,
        verdict.word,
        verdict.state,
        verdict.sentence,
        verdict.bound.promised,
    )
