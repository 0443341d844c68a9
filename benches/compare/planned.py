"""How long a run takes, said before it begins. Nothing here starts anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benches.compare.scenario import Scenario

SECONDS_PER_SCENARIO = 1.0
"""For its backend and certificate."""
SECONDS_PER_PEER = 3.0
"""To start one, compare its answers with the others', warm it up and end it."""


@dataclass(frozen=True)
class Part:
    """One scenario with the peers that take part in it."""

    scenario: Scenario
    peers: tuple[str, ...]

    @property
    def starting(self) -> float:
        """Seconds until the first turn, and after the last."""
        return SECONDS_PER_SCENARIO + SECONDS_PER_PEER * len(self.peers)

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return self.starting + self.scenario.seconds_per_turn * self.scenario.rounds * len(self.peers)


def total(parts: Sequence[Part]) -> float:
    """Seconds that a run takes, about."""
    return sum(part.seconds for part in parts)


def announcement(parts: Sequence[Part]) -> str:
    """What will run, and how long that takes."""
    turns = sum(part.scenario.rounds * len(part.peers) for part in parts)
    names = list(dict.fromkeys(name for part in parts for name in part.peers))
    lines = [
        f"{len(parts)} {'scenario' if len(parts) == 1 else 'scenarios'} with {', '.join(names)}: {turns} turns.",
        f"This takes about {spoken(total(parts))}. The machine should be left alone meanwhile.",
    ]
    return "\n".join(lines)


def spoken(seconds: float) -> str:
    """To read, in hours and minutes; never less than a minute."""
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    named = f"{rest} minute{'' if rest == 1 else 's'}"
    if not hours:
        return named
    return f"{hours} hour{'' if hours == 1 else 's'}" + (f" {named}" if rest else "")


def clock(seconds: float) -> str:
    """To read as on a clock: `2:05`, `1:02:05`."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
