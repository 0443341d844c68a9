"""Says how far a run has come: a bar on a terminal, lines elsewhere.

What is measured calls `turn` and knows nothing of bars. Progress is counted in the seconds that were expected.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benches.compare.planned import Part, clock, total
from benches.compare.scenario import Scenario

CREDIT = 60.0
"""How many seconds of the plan are believed before what was seen says otherwise."""


class Progress:
    """Of one run."""

    def __init__(self, parts: Sequence[Part], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._parts = parts
        self._begun = now()
        self._done = 0.0
        self._seen = 0.0
        """Seconds that had passed when `_done` was."""
        self._end = 0.0
        """Of the part that is under way, in seconds of the plan."""
        self._turns_begin = 0.0
        self._in_turns = 0.0
        self.where = ""

    def part(self, part: Part) -> None:
        """This one begins. Whatever was expected of those before, they are over."""
        before = total(self._parts[: self._parts.index(part)])
        self._end = before + part.seconds
        self._reach(before)
        self.where = f"{part.scenario.name}: starting {', '.join(part.peers)}"
        self._turns_begin = before + part.starting
        self._in_turns = 0.0

    def turn(self, scenario: Scenario, peer: str, number: int) -> None:
        """One turn is over."""
        self._in_turns += scenario.seconds_per_turn
        self._reach(min(self._end, self._turns_begin + self._in_turns))
        self.where = f"{scenario.name}: {peer}, round {number} of {scenario.rounds}"

    @property
    def share(self) -> float:
        """Of the whole that is done."""
        whole = total(self._parts)
        return self._done / whole if whole else 1.0

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self._now() - self._begun

    @property
    def left(self) -> float:
        """Seconds, from the plan and from how what is done compares with it."""
        pace = (self._seen + CREDIT) / (self._done + CREDIT)
        return max(0.0, (total(self._parts) - self._done) * pace - (self.elapsed - self._seen))

    def _reach(self, done: float) -> None:
        self._done, self._seen = done, self.elapsed


class Shown:
    """A bar at the bottom of a terminal, with lines above it; lines alone where there is no terminal."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self.progress = progress
        self._console = console
        # Drawing takes processor time: once a second is enough, on the core that proxies do not use.
        self._live = Live(self, console=console, refresh_per_second=1, transient=True)

    def __enter__(self) -> Shown:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def line(self, text: str) -> None:
        """Says something."""
        if self._console.is_terminal:
            self._console.print(Text(text))
            return
        print(text, flush=True)

    def turn(self, number: int, peer: str, text: str) -> None:
        """A line on one turn, with the time that is left where no bar says it."""
        left = "" if self._console.is_terminal else f"  [{self.progress.share:.0%}, {clock(self.progress.left)} left]"
        self.line(f"  round {number}: {peer} {text}{left}")

    def __rich__(self) -> Group:
        progress = self.progress
        times = f"{progress.share:4.0%}  {clock(progress.elapsed)} elapsed, {clock(progress.left)} left"
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_row(ProgressBar(total=1.0, completed=progress.share), times)
        return Group(bar, Text(progress.where, style="dim", overflow="ellipsis", no_wrap=True))


_shown: Shown | None = None
"""There is one run in a process; none in tests of what is measured."""


@contextmanager
def shown(parts: Sequence[Part], console: Console | None = None) -> Iterator[Shown]:
    """For as long as the run lasts, `turn` and `part` are shown."""
    global _shown
    with Shown(Progress(parts), console or Console(file=sys.stdout, highlight=False)) as _shown:
        try:
            yield _shown
        finally:
            _shown = None


def part(begun: Part) -> None:
    """A scenario begins."""
    if _shown is not None:
        _shown.progress.part(begun)


def turn(scenario: Scenario, peer: str, number: int, text: str) -> None:
    """One peer has had its turn in a round, the first of which is 1, and `text` is what was found."""
    if _shown is None:
        print(f"  round {number}: {peer} {text}", flush=True)
        return
    _shown.progress.turn(scenario, peer, number)
    _shown.turn(number, peer, text)


def line(text: str) -> None:
    """Anything else that is said meanwhile."""
    if _shown is None:
        print(text, flush=True)
    else:
        _shown.line(text)
