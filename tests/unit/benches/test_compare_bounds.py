"""Bounds that are about more than one peer: the best of some, all of them, and our own figure of something else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from benches.compare import machine, tables
from benches.compare.load import Loaded, Turn
from benches.compare.record import record
from benches.compare.rounds import differences
from benches.compare.scenario import EVERY_PEER, Bound, Load, Scenario
from benches.compare.scenarios import SCENARIOS
from benches.compare.verdict import verdicts

VERSIONS = {"fastingress": "0.1.0"}
BETTER = Bound(0.85, of=("nginx", "HAProxy"))
LOAD = next(each for each in SCENARIOS if isinstance(each, Load))


def loaded(*microseconds: float) -> Loaded:
    return Loaded(tuple(Turn(1000, 5000.0, each, 0.5) for each in microseconds))


def scenario(*bounds: Bound, name: str = "one") -> Scenario:
    return replace(LOAD, name=name, bounds=bounds)


@dataclass(frozen=True)
class Both:
    """Figures, and those of something else in the same rounds."""

    values: list[float]
    along: dict[str, Loaded] = field(default_factory=dict)


def test_the_better_of_two_is_the_one_with_the_lower_median() -> None:
    results = {"fastingress": loaded(8, 9, 8), "nginx": loaded(20, 20, 1), "HAProxy": loaded(10, 10, 10)}
    (found,) = verdicts(scenario(BETTER), results)
    assert found.sentence == (
        "CPU per request to the best of nginx and HAProxy, HAProxy is 0.80 (0.80 to 0.90), at most 0.85: "
        "not settled, by the median kept"
    )


def test_nothing_is_said_of_the_better_of_two_when_one_is_missing() -> None:
    (found,) = verdicts(scenario(BETTER), {"fastingress": loaded(8), "nginx": loaded(20)})
    assert found.sentence == "CPU per request to the best of nginx and HAProxy, at most 0.85: not measured"


def test_every_peer_is_each_that_was_measured_but_the_floor() -> None:
    names = {"fastingress": 8, "nginx": 20, "Caddy": 7, "bare relay": 1}
    results = {name: loaded(*[each] * 6) for name, each in names.items()}
    (found,) = verdicts(scenario(Bound(1.0, of=EVERY_PEER)), results)
    assert (found.peer, found.word) == ("Caddy", "**broken by 14.3%**")
    assert found.metric.endswith(" to the best of every peer but current nginx, HAProxy, Envoy, Traefik, Caddy"), "told"
    (found,) = verdicts(scenario(Bound(1.0, of=EVERY_PEER)), {"fastingress": loaded(8), "bare relay": loaded(1)})
    assert found.word == "not measured"


@pytest.mark.parametrize(("limit", "word"), [(2.0, "kept"), (0.5, "**broken by 0.5 us**")])
def test_a_figure_may_exceed_our_own_of_another_scenario(limit: float, word: str) -> None:
    more, less = scenario(Bound(limit, over="less"), name="more"), scenario(name="less")
    found = {more: {"fastingress": loaded(*[11, 21] * 3)}, less: {"fastingress": loaded(*[10, 20] * 3)}}
    text = tables.markdown(record(machine.seen(), VERSIONS, found, {}, {}, []))
    assert f"| more: CPU per request, over less | 1.0 us | {limit:.1f} us | {word} |" in text


def test_what_was_measured_along_comes_before_a_scenario() -> None:
    mine = Both([11, 21, 30], {"less": loaded(10, 20, 30)})
    (found,) = verdicts(scenario(Bound(2, over="less")), {"fastingress": mine}, {"less": {"fastingress": loaded(0)}})
    assert found.figure == "1.0 us (0.0 us to 1.0 us)"


def test_without_the_other_scenario_nothing_is_said() -> None:
    (found,) = verdicts(scenario(Bound(2, over="less")), {"fastingress": loaded(1)}, {"less": {"nginx": loaded(0)}})
    assert found.word == "not measured"


def test_differences_are_by_round_where_there_are_as_many_rounds() -> None:
    assert differences(loaded(11, 21), loaded(10, 20)) == [1, 1]
    assert differences(loaded(11, 21), loaded(10, 20, 30)) == [-9, 1]
