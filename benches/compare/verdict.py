"""What became of each bound: kept, broken and by how much, or not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benches.compare.rounds import Interval, Measured, interval, ratios
from benches.compare.scenarios import Bound, Scenario

OURS = "fastingress"


@dataclass(frozen=True)
class Verdict:
    """On one bound of one scenario."""

    scenario: Scenario
    bound: Bound
    found: Interval | None
    """None when one of the two that it is about was not measured."""

    @property
    def broken(self) -> bool:
        """By the median: noise neither keeps nor breaks a bound."""
        return self.found is not None and self.found.median > self.bound.at_most

    @property
    def kept(self) -> bool:
        """True of what was measured and is not broken."""
        return self.found is not None and not self.broken

    @property
    def metric(self) -> str:
        """What is bounded."""
        name = self.scenario.metric.name
        return f"{name} to {self.bound.of}" if self.bound.of else name

    @property
    def figure(self) -> str:
        """What was found."""
        found = self.found
        if found is None:
            return "-"
        if found.low == found.high:
            return self._text(found.median)
        return f"{self._text(found.median)} ({self._text(found.low)} to {self._text(found.high)})"

    @property
    def limit(self) -> str:
        """What it may be at most."""
        return self._text(self.bound.at_most)

    @property
    def word(self) -> str:
        """Kept, broken and by how much; and whether another run might say otherwise."""
        found, most = self.found, self.bound.at_most
        if found is None:
            return "not measured"
        said = f"**broken by {found.median / most - 1:.1%}**" if self.broken else "kept"
        return said + (", within the noise" if found.low <= most < found.high else "")

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        if self.found is None:
            return f"{self.metric}, at most {self.limit}: not measured"
        return f"{self.metric} is {self.figure}, at most {self.limit}: {self.word}"

    def _text(self, figure: float) -> str:
        return f"{figure:.2f}" if self.bound.of else self.scenario.metric.text(figure)


def verdicts(scenario: Scenario, results: Mapping[str, Measured]) -> list[Verdict]:
    """One for each bound of the scenario, by name of peer."""
    return [Verdict(scenario, bound, _found(bound, results)) for bound in scenario.bounds]


def summary(all_of_them: Sequence[Verdict]) -> str:
    """Says plainly whether all bounds are kept, and which are not."""
    kept = sum(each.kept for each in all_of_them)
    broken = [each for each in all_of_them if each.broken]
    missing = [each for each in all_of_them if each.found is None]
    return "\n".join(
        [
            "## Bounds",
            "",
            f"{kept} kept, {len(broken)} broken, {len(missing)} not measured.",
            "",
            *(f"- {each.scenario.name}: {each.sentence}" for each in (*broken, *missing)),
        ]
    )


def _found(bound: Bound, results: Mapping[str, Measured]) -> Interval | None:
    mine = results.get(OURS)
    if mine is None:
        return None
    if bound.of is None:
        return interval(mine.values)
    its = results.get(bound.of)
    return interval(ratios(mine, its)) if its is not None else None
