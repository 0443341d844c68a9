"""Says what came out: a table to read and JSON to keep."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benches.compare.idle import Idled
from benches.compare.load import Loaded
from benches.compare.scenarios import Handshakes, Scenario

Results = Mapping[str, Loaded] | Mapping[str, Idled]
BASE = "nginx"


def markdown(scenario: Scenario, results: Results, versions: Mapping[str, str]) -> str:
    """A heading and a table, one row a peer."""
    rows = [_row(name, result, results, versions[name]) for name, result in results.items()]
    if all(isinstance(result, Loaded) for result in results.values()):
        per = "handshake" if isinstance(scenario, Handshakes) else "request"
        head = f"| proxy | CPU per {per} | to {BASE}: median (least to most) | {per}s/s, proxy on one core |"
    else:
        head = f"| proxy | memory per connection | to {BASE} | before, after |"
    return "\n".join(
        [
            f"## {scenario.name}",
            "",
            f"{scenario.connections:,} {scenario.what}",
            "",
            head,
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def to_json(results: Mapping[Scenario, Results], versions: Mapping[str, str]) -> str:
    """Everything measured."""
    return json.dumps(
        {
            "machine": {"processor": _processor(), "kernel": platform.release()},
            "versions": dict(versions),
            "scenarios": [
                {"scenario": asdict(scenario), "results": {name: asdict(result) for name, result in found.items()}}
                for scenario, found in results.items()
            ],
        },
        indent=2,
    )


def _row(name: str, result: Loaded | Idled, results: Results, version: str) -> str:
    base = results.get(BASE)
    if isinstance(result, Loaded):
        ratio = _spread(result.ratios_to(base)) if isinstance(base, Loaded) else ""
        cells = [f"{result.cpu_microseconds:.1f} us", ratio, f"{result.requests_per_second:,.0f}"]
    else:
        ratio = f"{result.bytes_each / base.bytes_each:.2f}" if isinstance(base, Idled) else ""
        sizes = f"{result.before_bytes / 2**20:.1f} MiB, {result.after_bytes / 2**20:.1f} MiB"
        cells = [f"{result.bytes_each / 1024:.2f} KiB", ratio, sizes]
    return f"| {name} {version} | " + " | ".join(cells) + " |"


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
