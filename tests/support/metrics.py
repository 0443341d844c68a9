"""Reads the text that a metrics page serves: names, labels, values."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \S+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One reading of a metrics page."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: list[tuple[str, Mapping[str, str], float]] = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                self.samples.append(_sample(line))

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name whose labels include these; 0 when there are none."""
        return sum(value for found, has, value in self.samples if found == name and labels.items() <= has.items())

    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _, _ in self.samples}


def _sample(line: str) -> tuple[str, Mapping[str, str], float]:
    found = _LINE.match(line)
    assert found, f"not a metrics line: {line!r}"
    labels = dict(_LABEL.findall(found["labels"] or ""))
    return found["name"], labels, float(found["value"])
