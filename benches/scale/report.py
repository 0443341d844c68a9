"""Says what came out beside the bounds: a table to read and JSON to keep."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benches.scale.edits import Edited
from benches.scale.measure import WAYS, Measured

Results = Mapping[str, Measured]
"""By the name of the folder's kind."""


class _Row(NamedTuple):
    what: str
    bound: str
    of: Callable[[Measured], str]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed. Of none: 0."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)] if ordered else 0.0


def markdown(results: Results, ingresses: int) -> str:
    """One row a figure, one column a folder."""
    edits = sum(len(found.all_edits()) for found in results.values())
    lines = [
        f"## {ingresses:,} Ingresses, {edits:,} edits, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        "",
        f"| | bound | {' | '.join(results)} |",
        f"|---|---|{'---|' * len(results)}",
        *(f"| {row.what} | {row.bound} | {' | '.join(map(row.of, results.values()))} |" for row in _rows()),
    ]
    return "\n".join(lines)


def to_json(results: Results, ingresses: int) -> str:
    """Everything measured."""
    machine = {"kernel": platform.release(), "python": platform.python_version(), "load": os.getloadavg()}
    found = {name: asdict(measured) for name, measured in results.items()}
    return json.dumps({"machine": machine, "ingresses": ingresses, "results": found}, indent=2)


def _rows() -> list[_Row]:
    rows = [
        _Row("start: process start to ready, each", "12 s", lambda found: _each(found.start_seconds)),
        _Row("its processor time", "", lambda found: _each(found.start_cpu_seconds)),
    ]
    for way in WAYS:
        rows.append(_Row(f"live after it was {way}: p50, p99, most", "p99 150 ms", _spread_of(way, "live_seconds")))
        rows.append(_Row("of that after parsing: p50, p99, most", "10 ms", _spread_of(way, "ours_seconds")))
        rows.append(_Row("of that not waiting for more edits", "", _spread_of(way, "work_seconds")))
    return [
        *rows,
        _Row("processor time of the control plane for an edit", "", _cpu),
        _Row("Ingresses translated, values sent, fragments compiled, for each edit", "1, 1, 1", _counts),
        _Row("longest time that the loop was held up: ours, as seen", "10 ms", _stall),
        _Row("memory", "", lambda found: ", ".join(f"{size / 2**20:.0f} MiB" for size in found.memory_bytes)),
    ]


def _spread_of(way: str, name: str) -> Callable[[Measured], str]:
    def say(found: Measured) -> str:
        values = [getattr(edited, name) * 1000 for edited in found.edits[way]]
        return f"{statistics.median(values):.1f}, {percentile(values, 99):.1f}, {max(values):.1f} ms"

    return say


def _each(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.1f} s" for each in seconds)


def _cpu(found: Measured) -> str:
    return ", ".join(f"{each * 1000:.1f} ms" for each in found.cpu_seconds_per_edit)


def _counts(found: Measured) -> str:
    """Each combination there was, with how often if there are several."""
    combinations: dict[tuple[int, int, int], int] = {}
    for edited in found.all_edits():
        counts = _counts_of(edited)
        combinations[counts] = combinations.get(counts, 0) + 1
    if len(combinations) == 1:
        return ", ".join(str(count) for count in next(iter(combinations)))
    return "; ".join(f"{counts} {times} times" for counts, times in combinations.items())


def _counts_of(edited: Edited) -> tuple[int, int, int]:
    return (edited.translated, edited.sent, edited.compiled)


def _stall(found: Measured) -> str:
    if not found.stalls:
        return f"under 2 ms, in {found.watched_edits} edits"
    ours = max(_milliseconds(stall, "ours") for stall in found.stalls)
    seen = max(_milliseconds(stall, "seconds") for stall in found.stalls)
    return f"{ours:.1f} ms, {seen:.1f} ms, in {found.watched_edits} edits"


def _milliseconds(stall: Mapping[str, Any], name: str) -> float:
    return float(stall[name]) * 1000
