"""The page `docs/benchmarks.md`: what the newest run found, how to make one, and what it does not say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from benches.compare import tables
from benches.compare.choosing import QUICK_PEERS, QUICK_SCENARIOS
from benches.compare.record import BASE, Record
from benches.compare.scenarios import SCENARIOS

RESULTS = "../benches/compare/results"
"""As seen from the page."""
PICTURES = {
    "cpu": f"CPU for the same work, relative to {BASE}",
    "latency": "Latency at a held rate",
    "memory": "Memory per idle connection",
}

TEMPLATE = Path(__file__).with_suffix(".txt")


def extent(kept: Record) -> str:
    """How many runs these are, which scenarios they had, and which they had not."""
    had = {each.name for each in kept.scenarios}
    others = [each.name for each in SCENARIOS if each.name not in had]
    runs = f"These are {len(kept.further) + 1} runs, and each scenario is of one of them. " if kept.further else ""
    if not others:
        return f"{runs}All {len(SCENARIOS)} scenarios are there."
    return f"{runs}{len(had)} scenarios are there, and these are not: {', '.join(others)}."


def text(kept: Record, pictures: Collection[str]) -> str:
    """The whole page. `pictures` are the names of those that there are."""
    quick = f"{len(QUICK_SCENARIOS)} scenarios with {', '.join(QUICK_PEERS)}, in under 4 minutes once it is built"
    shown = [f"![{PICTURES[name]}]({RESULTS}/{name}.svg)" for name in PICTURES if name in pictures]
    return TEMPLATE.read_text(encoding="utf-8").format(
        quick=quick,
        bounds="\n".join(tables.bounds(kept)),
        unmet="\n".join(tables.unmet(kept)),
        extent=extent(kept),
        machine="\n".join(tables.machine(kept)),
        pictures="\n\n".join([*shown, ""]),
        versions=", ".join(f"{name} {version}" for name, version in kept.versions.items()),
        results=RESULTS,
    )
