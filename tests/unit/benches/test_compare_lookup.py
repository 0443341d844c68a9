"""The lookup by itself: what criterion wrote down is read, and other proxies have no part in it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from benches.compare import kinds, lookup
from benches.compare.__main__ import absent, present
from benches.compare.peers import PEERS
from benches.compare.scenario import Lookup
from benches.compare.scenarios import SCENARIOS
from benches.compare.verdict import verdicts

(LOOKUP,) = (each for each in SCENARIOS if isinstance(each, Lookup))


def measured(target: Path) -> Mock:
    """What criterion writes down."""
    for hosts, nanoseconds in ((1, 30.0), (10_000, 700.0)):
        folder = target / "criterion" / "lookup" / lookup.KIND / str(hosts) / "new"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "estimates.json").write_text(json.dumps({"median": {"point_estimate": nanoseconds}}))
    return Mock(returncode=0)


@pytest.fixture
def criterion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """In place of every command; 30 ns with one host, 700 ns with ten thousand."""
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    command = Mock(side_effect=lambda *_, **__: measured(tmp_path))
    monkeypatch.setattr(subprocess, "run", command)
    return command


def test_the_bound_is_on_what_many_hosts_take_more_than_one(criterion: Mock) -> None:
    results = lookup.measure(replace(LOOKUP, rounds=6), [])
    assert criterion.call_count == 7, "it is built once, and run once a round"
    (found,) = verdicts(LOOKUP, results)
    assert (found.figure, found.limit, found.word) == ("670.0 ns", "600.0 ns", "**broken by 70.0 ns**")


def test_a_bench_that_does_not_run_ends_the_measurement(criterion: Mock) -> None:
    criterion.side_effect = lambda *_, **__: Mock(returncode=101, stdout="", stderr="error: could not compile")
    with pytest.raises(SystemExit, match="could not compile"):
        lookup.measure(LOOKUP, [])


def test_figures_of_an_earlier_run_are_not_taken_for_this_ones(criterion: Mock, tmp_path: Path) -> None:
    measured(tmp_path)
    criterion.side_effect = lambda *_, **__: Mock(returncode=0)
    with pytest.raises(SystemExit, match="measured nothing with 1 hosts"):
        lookup.measure(LOOKUP, [])


def test_other_proxies_have_no_part_in_it_and_are_not_called_missing() -> None:
    assert present(LOOKUP, PEERS) == ["fastingress"]
    assert absent([LOOKUP], [peer for peer in PEERS if peer.name != "fastingress"]) == []
    assert not any(kinds.takes_part(LOOKUP, peer) for peer in PEERS if peer.name != "fastingress")
