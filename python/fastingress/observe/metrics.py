"""What the control plane counts, as families of OpenMetrics; the core shows them beside its own.

Written out here: the libraries for this cost more at the start of a process than all else that it imports.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

PROPAGATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


class Histogram:
    """Counts durations by bucket."""

    def __init__(self, buckets: Sequence[float]) -> None:
        self._bounds = tuple(buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str) -> Iterable[str]:
        """Its samples."""
        total = 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_count {total}"
        yield f"{name}_sum {self._sum:.6f}"


class Page:
    """Collects families, one after the other."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def histogram(self, name: str, help_text: str, value: Histogram) -> None:
        """Of durations in seconds."""
        self._head(name, "histogram", help_text)
        self._lines += value.lines(name)

    def gauge(self, name: str, help_text: str, value: float) -> None:
        """One number."""
        self._head(name, "gauge", help_text)
        self._lines.append(f"{name} {_number(value)}")

    def info(self, name: str, help_text: str, label: str, value: str) -> None:
        """A word."""
        self._head(name, "info", help_text)
        self._lines.append(f'{name}_info{{{label}="{_escaped(value)}"}} 1')

    def counter(self, name: str, help_text: str, label: str, values: Mapping[str, int]) -> None:
        """Numbers by the value of a label; nothing when there are none."""
        if not values:
            return
        self._head(name, "counter", help_text)
        for value, count in sorted(values.items()):
            self._lines.append(f'{name}_total{{{label}="{_escaped(value)}"}} {count}')

    def text(self) -> str:
        """All of it, without the line that ends an exposition."""
        return "".join(f"{line}\n" for line in self._lines)

    def _head(self, name: str, kind: str, help_text: str) -> None:
        self._lines += [f"# HELP {name} {help_text}.", f"# TYPE {name} {kind}"]


def _number(value: float) -> str:
    return str(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
