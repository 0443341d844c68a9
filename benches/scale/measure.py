"""One folder, measured: starts, edits in both ways, and once more with the loop watched."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benches.scale import edits
from benches.scale.edits import Edited, Editor
from benches.scale.served import Event, Served
from tests.support.scale import Plan

WAYS: dict[str, edits.Way] = {"moved into place": edits.moved, "written in place": edits.in_place}
_WARM_UP = 3
_STEPS = 20
"""Edits between two words of progress."""


@dataclass
class Measured:
    """Of one folder."""

    start_seconds: list[float] = field(default_factory=list)
    start_cpu_seconds: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)
    """After the edits."""
    edits: dict[str, list[Edited]] = field(default_factory=lambda: {way: [] for way in WAYS})
    cpu_seconds_per_edit: list[float] = field(default_factory=list)
    """Of the control plane: reading, parsing, and all after it."""
    stalls: list[Event] = field(default_factory=list)
    """Of the loop, during edits, those of more than two milliseconds."""
    watched_edits: int = 0

    def all_edits(self) -> list[Edited]:
        """Of all ways."""
        return [edited for made in self.edits.values() for edited in made]


def measure(folder: Path, plan: Plan, *, rounds: int, count: int) -> Measured:
    """Each round is a fresh process and `count` edits each way; one more round is watched."""
    measured = Measured()
    for number in range(rounds):
        plan.write(folder)
        with Served(folder) as gateway:
            _say(f"round {number + 1} of {rounds}: ready after {gateway.start_seconds:.1f} s")
            measured.start_seconds.append(gateway.start_seconds)
            measured.start_cpu_seconds.append(gateway.start_cpu_seconds)
            cpu = gateway.control_cpu_seconds()
            made = _edit(folder, plan, gateway, count)
            spent = gateway.control_cpu_seconds() - cpu
            measured.cpu_seconds_per_edit.append(spent / (len(WAYS) * (count + _WARM_UP)))
            measured.memory_bytes.append(gateway.memory_bytes())
        for way, some in made.items():
            measured.edits[way] += some
    _watch(folder, plan, count, measured)
    return measured


def _watch(folder: Path, plan: Plan, count: int, measured: Measured) -> None:
    plan.write(folder)
    with Served(folder, watched=True) as gateway:
        _say(f"the loop watched: ready after {gateway.start_seconds:.1f} s")
        before = len(gateway.stalls)
        made = _edit(folder, plan, gateway, count)
        measured.stalls += gateway.stalls[before:]
        measured.watched_edits = sum(len(some) for some in made.values()) + _WARM_UP * len(WAYS)


def _edit(folder: Path, plan: Plan, gateway: Served, count: int) -> dict[str, list[Edited]]:
    made: dict[str, list[Edited]] = {}
    with closing(Editor(folder, plan, gateway)) as editor:
        for name, way in WAYS.items():
            for _ in range(_WARM_UP):
                editor.edit(way)
            made[name] = []
            for number in range(1, count + 1):
                made[name].append(editor.edit(way))
                if number % _STEPS == 0 or number == count:
                    _say(f"{name}: {number} of {count} edits", end="\r" if number < count else "\n")
    return made


def _say(text: str, end: str = "\n") -> None:
    print(f"  {text}", end=end, file=sys.stderr, flush=True)
