"""Latency at a held rate: what is said of it, and which turns count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from benches.compare import latency, steady
from benches.compare.latency import Paced
from benches.compare.peers import Peer
from benches.compare.scenario import Latency
from benches.compare.scenarios import SCENARIOS
from benches.compare.steady import Held

(SCENARIO,) = (each for each in SCENARIOS if isinstance(each, Latency))
WANTED = SCENARIO.rate * SCENARIO.seconds
PEER = cast("Peer", SimpleNamespace(name="proxy", port=1))


def held(*, done: int = WANTED, failed: int = 0, p99: float = 900.0) -> Held:
    return Held(done, failed, 0, 150.0, p99, 2000.0, 4000.0)


def test_the_figure_is_the_99th_percentile_and_the_others_stand_beside_it() -> None:
    paced = Paced((held(p99=800.0), held(p99=1000.0), held(p99=900.0)))
    assert paced.values == [800.0, 1000.0, 900.0]
    assert paced.beside == "p50 0.15 ms, p99 0.90 ms, p99.9 2.00 ms, most 4.0 ms"
    assert SCENARIO.metric.text(paced.values[0]) == "0.8 ms"


def test_the_rate_is_the_same_for_all_and_every_connection_has_the_same_part_of_it() -> None:
    assert SCENARIO.rate % SCENARIO.connections == 0
    assert f"{SCENARIO.rate:,} requests/s" in SCENARIO.what


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(held(failed=1), id="a request failed"),
        pytest.param(held(done=WANTED * 9 // 10), id="the rate was not held"),
    ],
)
def test_a_turn_that_is_not_whole_ends_the_run(found: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "asked", lambda *_: found)
    with pytest.raises(SystemExit, match="proxy: of "):
        latency.turn(SCENARIO, PEER)


def test_a_whole_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "run", lambda *_: f"done={WANTED} failed=0 again=0 p50=1.0 p99=2.5 p999=3.0 most=4.0\n")
    assert latency.turn(SCENARIO, PEER).p99 == 2.5
