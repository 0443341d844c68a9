"""What rounds come to: ratios are taken round by round, and a median is told with the interval that it lies in."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

CONFIDENCE = 0.95


class Measured(Protocol):
    """What was found of one peer."""

    @property
    def values(self) -> Sequence[float]:
        """The figure of each round, in the metric of the scenario."""


@dataclass(frozen=True)
class Interval:
    """A median of some values, and between what the median of all lies with this confidence."""

    median: float
    low: float
    high: float
    confidence: float


def figure(found: Measured) -> float:
    """The median of the rounds."""
    return statistics.median(found.values)


def ratios(mine: Measured, its: Measured) -> list[float]:
    """Round by round: what disturbs a round disturbs both. Beside nothing, all is infinitely much."""
    return [one / other if other else math.inf for one, other in zip(mine.values, its.values, strict=True)]


def differences(mine: Measured, its: Measured) -> list[float]:
    """Round by round as well, where there are as many; else beside the median of the others."""
    others = its.values if len(its.values) == len(mine.values) else [figure(its)] * len(mine.values)
    return [one - other for one, other in zip(mine.values, others, strict=True)]


def interval(values: Sequence[float]) -> Interval:
    """By ranks, which supposes nothing of how values spread. Fewer than six have less confidence than is wanted.

    The median of all is below the k-th least of n values as often as fewer than k of n coins fall on heads.
    """
    ordered, many = sorted(values), len(values)
    rank = 1
    while rank + 1 <= many // 2 and _confidence(many, rank + 1) >= CONFIDENCE:
        rank += 1
    return Interval(statistics.median(ordered), ordered[rank - 1], ordered[-rank], _confidence(many, rank))


def _confidence(many: int, rank: int) -> float:
    beyond = 2 * sum(math.comb(many, below) for below in range(rank))
    return max(0.0, 1 - math.ldexp(beyond, -many))
