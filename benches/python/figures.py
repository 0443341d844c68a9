"""What was measured, beside what it may be at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure."""

    what: str
    unit: str
    value: float
    """The median."""
    low: float
    high: float
    at_most: float | None = None
    """None for what is told beside the bounds."""

    @property
    def is_met(self) -> bool:
        """By the median: noise neither keeps nor breaks a bound."""
        return self.at_most is None or self.value <= self.at_most

    @property
    def row(self) -> str:
        """As a row of the table."""
        bound = "" if self.at_most is None else f"{self.at_most:g} {self.unit}"
        return f"| {self.what} | {bound} | {self._text(self.value)} {self.unit} | {self._spread} | {self._verdict} |"

    @property
    def _spread(self) -> str:
        return "" if self.low == self.high else f"{self._text(self.low)} to {self._text(self.high)}"

    @property
    def _verdict(self) -> str:
        if self.at_most is None:
            return ""
        return "met" if self.is_met else f"**not met, by {self.value / self.at_most - 1:.0%}**"

    def _text(self, value: float) -> str:
        return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def of(what: str, unit: str, values: Iterable[float], at_most: float | None = None) -> Figure:
    """The figure of several measurements."""
    ordered = sorted(values)
    return Figure(what, unit, ordered[len(ordered) // 2], ordered[0], ordered[-1], at_most)


def table(figures: Iterable[Figure]) -> str:
    """All figures as Markdown."""
    head = ["| | at most | found | least and most | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(figure.row for figure in figures)])
