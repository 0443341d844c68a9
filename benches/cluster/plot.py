"""Draws how soon changes are live: for each kind the share of them that was, by time, beside the bare watcher's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benches import drawing
from benches.cluster.latency import Latencies
from benches.cluster.report import LIVE

_LEAST, _MOST = 0.0005, 0.2
"""Seconds at both ends of the axis, which is logarithmic."""
_TICKS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_SHARES = (0, 25, 50, 75, 99)
_COLOURS = (drawing.OURS, "#c1440e", "#3a7d44", "#7b3fa0")


def write(latencies: Mapping[str, Latencies], title: str, path: Path) -> list[Path]:
    """Writes the picture; which files there are."""
    with drawing.style():
        figure = Figure(figsize=(10, 4.8), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, fontsize=11, fontweight="bold")
        _axes(axes)
        for place, (kind, found) in enumerate(latencies.items()):
            colour = _COLOURS[place % len(_COLOURS)]
            _line(axes, found.live, colour, "-", kind)
            _line(axes, found.watched, colour, ":", None)
        axes.plot([], [], color=drawing.DARK, linestyle=":", label="a bare watcher")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return drawing.write(figure, path)


def _axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_LEAST, _MOST)
    axes.set_ylim(0, 101)
    axes.set_xticks(_TICKS, [f"{tick * 1000:g}" for tick in _TICKS])
    axes.set_xticks([], minor=True)
    axes.set_yticks(_SHARES, [f"{share} %" for share in _SHARES])
    axes.grid(color="#e4e6e9", linewidth=0.8)
    axes.axvline(LIVE, color=drawing.DARK, linewidth=1, linestyle=(0, (6, 3)))
    axes.annotate("bound at 99 %", (LIVE, 3), (4, 0), textcoords="offset points")
    axes.set_xlabel("milliseconds from the acknowledged write to the new behaviour on the wire")


def _line(axes: Axes, seconds: Sequence[float], colour: str, style: str, label: str | None) -> None:
    ordered = [min(max(each, _LEAST), _MOST) for each in sorted(seconds)]
    shares = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
    axes.plot(ordered, shares, color=colour, linestyle=style, linewidth=1.6, label=label)
