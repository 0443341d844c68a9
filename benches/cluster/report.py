"""Says what came out beside the bounds: a table to read and JSON to keep."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from benches.cluster.latency import Latencies
from benches.cluster.starting import Start, Statuses
from benches.cluster.stream import Streamed
from benches.scale.report import percentile

READY, STEADY, STATUS = 8.0, 250 << 20, 60.0
LIVE, BEYOND = 0.050, 0.015
CORES = 0.5
_MIB = 2**20


@dataclass
class Found:
    """All that was measured; what was not asked for is empty."""

    ingresses: int
    load: list[float] = field(default_factory=list)
    """The load average before each part."""
    statuses: Statuses | None = None
    starts: list[Start] = field(default_factory=list)
    latencies: dict[str, Latencies] = field(default_factory=dict)
    streams: dict[str, Streamed] = field(default_factory=dict)
    """By what they are: `real`, `replayed`."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    bound: str
    found: str
    kept: bool | None
    """Whether the bound is kept, where there is one."""


def rows(found: Found) -> list[Row]:
    """One a figure."""
    made = [*_starts(found.starts), *_status(found.statuses)]
    for kind, latencies in found.latencies.items():
        made += _latencies(kind, latencies)
    for kind, streamed in found.streams.items():
        made += _stream(kind, streamed)
    return made


def markdown(found: Found) -> str:
    """The table."""
    load = ", ".join(f"{each:.1f}" for each in found.load)
    lines = [
        f"## {found.ingresses:,} Ingresses, load {load} on {os.cpu_count()} cores, the API server's included",
        "",
        "| | bound | found | |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.bound} | {row.found} | {_mark(row.kept)} |" for row in rows(found)),
    ]
    return "\n".join(lines)


def to_json(found: Found) -> str:
    """Everything measured."""
    machine = {"kernel": platform.release(), "python": platform.python_version(), "cores": os.cpu_count()}
    return json.dumps({"machine": machine, **asdict(found)}, indent=2)


def _starts(starts: Sequence[Start]) -> list[Row]:
    if not starts:
        return []

    def each(of: Callable[[Start], float], unit: str, digits: int = 1) -> str:
        return ", ".join(f"{of(start):.{digits}f}" for start in starts) + f" {unit}"

    ready = statistics.median(start.ready_seconds for start in starts)
    steady = max(start.steady_bytes for start in starts)
    return [
        Row("process start to ready", f"{READY:g} s", each(lambda start: start.ready_seconds, "s"), ready < READY),
        Row("its processor time", "", each(lambda start: start.cpu_seconds, "s"), None),
        Row("processor time until all is at rest", "", each(lambda start: start.settled_cpu_seconds, "s"), None),
        Row("memory when steady", "250 MiB", each(lambda start: start.steady_bytes / _MIB, "MiB", 0), steady < STEADY),
        Row("memory at most", "", each(lambda start: start.peak_bytes / _MIB, "MiB", 0), None),
    ]


def _status(found: Statuses | None) -> list[Row]:
    if found is None:
        return []
    seconds = found.written_seconds - found.leading_seconds
    return [
        Row("status of all written, from leading on", f"{STATUS:g} s", f"{seconds:.1f} s", seconds < STATUS),
        Row("from readiness on, the Lease being new", "", f"{found.written_seconds:.1f} s", None),
        Row("processor time of that", "", f"{found.cpu_seconds:.1f} s", None),
    ]


def _latencies(kind: str, found: Latencies) -> list[Row]:
    live, beyond = percentile(found.live, 99), percentile(found.beyond, 99)
    return [
        Row(f"{kind} on the wire: p50, p99, most", f"p99 {LIVE * 1000:g} ms", _spread(found.live), live < LIVE),
        Row("of that beyond a bare watcher", f"p99 {BEYOND * 1000:g} ms", _spread(found.beyond), beyond < BEYOND),
        Row("the controller's threads waited for a processor", "", _spread(found.queued), None),
    ]


def _stream(kind: str, found: Streamed) -> list[Row]:
    rate = found.changes / found.seconds
    name = f"{kind}, {rate:.0f} changes/s for {found.seconds:.0f} s"
    after = f"{found.empty_after_seconds * 1000:.0f} ms after the last, {found.stale} stale"
    bound, kept = (f"{CORES:g} cores", found.cores < CORES) if kind == "replayed" else ("", None)
    return [
        Row(f"{name}: processor", bound, f"{found.cores:.2f} cores", kept),
        Row("all changes live", "0 stale", after, found.stale == 0),
        Row("99 of 100 change sets live within, by the controller's metric", "", _bucket(found.propagation_p99), None),
        Row("memory after it", "250 MiB", f"{found.memory_bytes / _MIB:.0f} MiB", found.memory_bytes < STEADY),
    ]


def _bucket(seconds: float) -> str:
    return f"{seconds * 1000:g} ms"


def _spread(seconds: Sequence[float]) -> str:
    middle, late, most = statistics.median(seconds), percentile(seconds, 99), max(seconds)
    return f"{middle * 1000:.1f}, {late * 1000:.1f}, {most * 1000:.1f} ms"


def _mark(kept: bool | None) -> str:
    return {True: "kept", False: "MISSED", None: ""}[kept]
