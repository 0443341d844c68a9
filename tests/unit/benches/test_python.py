"""The bench of the Python side's bounds: that it measures what it says, and tells it plainly."""

from __future__ import annotations

import asyncio

import pytest

from benches.cluster.plan import Plan
from benches.python import changing, figures, starting
from benches.python.changing import costs
from benches.python.objects import moved
from benches.python.translating import translations
from fastingress.sources.cluster.wire import event_of


def test_a_bound_is_met_or_not_by_the_median() -> None:
    met, broken = figures.of("start", "s", [9.0, 0.4, 0.5], 0.5), figures.of("start", "s", [0.1, 0.6, 0.75], 0.5)
    assert (met.is_met, broken.is_met) == (True, False)
    assert met.row == "| start | 0.5 s | 0.500 s | 0.400 to 9.0 | met |"
    assert broken.row == "| start | 0.5 s | 0.600 s | 0.100 to 0.750 | **not met, by 20%** |"


def test_a_figure_without_a_bound_is_told_without_a_verdict() -> None:
    assert figures.of("memory", "MiB", [211.26]).row == "| memory |  | 211.3 MiB |  |  |"


def test_the_shop_answers_and_its_start_took_time() -> None:
    for command in (starting.BY_MODULE, starting.BY_EXAMPLE):
        (seconds,) = starting.starts(command, 1)
        assert seconds > 0.0


def test_each_round_translates_everything() -> None:
    assert len([seconds for seconds in translations(Plan(20), 3) if seconds > 0.0]) == 3


def test_each_change_of_a_stream_moves_an_endpoint_and_reaches_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "_REST", 0.0)
    plan = Plan(50)
    assert event_of(moved(plan, 7, 1)).object != event_of(moved(plan, 7, 2)).object
    found = asyncio.run(costs(plan, rate=100, seconds=1))
    assert min(found.python, found.rust) > 0.0
    assert 1.0 <= found.changes_per_apply < 100.0
