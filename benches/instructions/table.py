"""What was counted beside what is committed."""

from __future__ import annotations

import msgspec

MOST = 0.10
"""The part by which a step may grow. Less is often what a compiler decides anew when code nearby has moved: it is
shown."""


class Figures(msgspec.Struct, frozen=True):
    """Counts, and what they depend on."""

    counted_on: dict[str, str]
    steps: dict[str, int]
    """Instructions for each step, once."""


def markdown(now: Figures, committed: Figures) -> str:
    """One row a step."""
    lines = ["| step | instructions | committed | change |", "|---|---|---|---|"]
    for what, count in now.steps.items():
        before = committed.steps.get(what)
        change = f"{count / before - 1:+.1%}" if before else "new"
        lines.append(f"| {what} | {count:,} | {before if before is None else format(before, ',')} | {change} |")
    return "\n".join([*lines, *_differences(now, committed)]).replace("| None |", "| - |")


def grown(now: Figures, committed: Figures) -> list[str]:
    """The steps that take too much more. None where it was counted on something else: that would say nothing."""
    if now.counted_on != committed.counted_on:
        return []
    return [
        what for what, before in committed.steps.items() if what in now.steps and now.steps[what] > before * (1 + MOST)
    ]


def _differences(now: Figures, committed: Figures) -> list[str]:
    """A line on each thing that is another one now: changes then say little, and fail nothing."""
    if not committed.counted_on:
        return []
    names = [*dict.fromkeys([*now.counted_on, *committed.counted_on])]
    pairs = [(name, now.counted_on.get(name, "-"), committed.counted_on.get(name, "-")) for name in names]
    lines = [
        f"{name}: {here}, and {there} where the committed were counted" for name, here, there in pairs if here != there
    ]
    return ["", *lines, "Growth is shown and is no failure."] if lines else []
