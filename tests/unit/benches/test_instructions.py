"""Counted instructions: how one step is told from many, and what is a failure."""

from __future__ import annotations

import pytest
from msgspec import json

from benches.instructions.__main__ import FIGURES
from benches.instructions.counting import STEPS, collected_in, per_step
from benches.instructions.table import Figures, grown, markdown

HERE = {"compiler": "rustc 1.95.0"}


def figures(**steps: int) -> Figures:
    return Figures(HERE, steps)


def test_what_is_done_once_falls_out_of_the_count() -> None:
    once = {step.name: 100 * (place + 1) for place, step in enumerate(STEPS)}
    start = 1_000_000
    collected = {
        (step.name, times): start + times * once[step.name] for step in STEPS for times in (step.times, 2 * step.times)
    }
    for step in STEPS:
        assert per_step(collected)[step.what] == once[step.name] - once.get(step.besides, 0)


def test_callgrind_says_the_count_at_its_end() -> None:
    assert collected_in("==1== Events    : Ir\n==1== Collected : 9323883\n") == 9323883
    with pytest.raises(ValueError, match="not found"):
        collected_in("valgrind: program: command not found")


@pytest.mark.parametrize(("now", "failing"), [(90, []), (110, []), (111, ["head"])])
def test_a_step_fails_that_has_grown_by_more_than_a_tenth(now: int, failing: list[str]) -> None:
    assert grown(figures(head=now), figures(head=100)) == failing


def test_figures_of_another_compiler_are_shown_and_fail_nothing() -> None:
    committed = Figures({"compiler": "rustc 1.90.0"}, {"head": 100})
    assert grown(figures(head=200), committed) == []
    text = markdown(figures(head=200), committed)
    assert "| head | 200 | 100 | +100.0% |" in text
    assert "compiler: rustc 1.95.0, and rustc 1.90.0 where the committed were counted" in text
    assert "no failure" in text


def test_a_new_step_has_no_change() -> None:
    text = markdown(figures(head=2000), figures())
    assert text.splitlines()[-1] == "| head | 2,000 | - | new |"
    assert grown(figures(), figures(head=1)) == []


def test_the_committed_figures_are_of_the_steps_that_there_are() -> None:
    committed = json.decode(FIGURES.read_bytes(), type=Figures)
    assert list(committed.steps) == [step.what for step in STEPS]
    assert all(count > 0 for count in committed.steps.values())
    assert "compiler" in committed.counted_on
