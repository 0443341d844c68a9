"""Draws what came out, from the record of a run alone: a panel for each scenario, in it a bar for each peer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benches import drawing
from benches.compare.record import BASE, PeerFound, Record, ScenarioFound
from benches.compare.verdict import OURS

COLUMNS = 3
WIDTH = 13.0
LEAST = 8.0
"""Inches. Titles need that much."""
_CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
"""Behind a number, so that no line goes through it."""
ROOM = 2.5
"""Ratios beyond this are cut, with their number beside: else one slow peer would make all others one length."""


@dataclass(frozen=True)
class Bar:
    """One peer in a panel."""

    name: str
    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One scenario."""

    title: str
    bars: Sequence[Bar]
    room: float
    """Where the axis ends, at which longer bars are cut."""


NAMES = ("cpu", "memory", "latency")
"""Of the pictures."""


def write(kept: Record, folder: Path) -> list[Path]:
    """Writes each picture that there are figures for, in place of those of an earlier run; which files these are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        for kind in ("svg", "png"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
    written: list[Path] = []
    cpu = [panel for each in kept.scenarios if (panel := _relative(each))]
    memory = [panel for each in kept.scenarios if each.unit == "KiB" and (panel := _memory(each))]
    with drawing.style():
        if cpu:
            title = f"CPU for the same work, relative to {BASE} (shorter is better; lines are confidence intervals)"
            written += drawing.write(_bars(title, cpu, reference=1.0), folder / "cpu")
        if memory:
            written += drawing.write(
                _bars("Memory per idle connection, KiB (shorter is better)", memory), folder / "memory"
            )
        if latencies := [each for each in kept.scenarios if any(peer.percentiles for peer in each.peers)]:
            written += drawing.write(_latencies(latencies), folder / "latency")
    return written


def _relative(scenario: ScenarioFound) -> Panel | None:
    """None for what is no processor time, or has no figure of the base."""
    if not scenario.metric.startswith("CPU"):
        return None
    spreads = [(peer.name, peer.to_base) for peer in scenario.peers if peer.to_base]
    bars = [Bar(name, to.median, to.low, to.high, f"{to.median:.2f}") for name, to in spreads]
    return Panel(scenario.name, bars, ROOM) if bars else None


def _memory(scenario: ScenarioFound) -> Panel | None:
    bars = [Bar(peer.name, peer.median, peer.median, peer.median, f"{peer.median:.1f}") for peer in scenario.peers]
    return Panel(scenario.name, bars, max(bar.value for bar in bars) or 1.0) if bars else None


def _bars(title: str, panels: Sequence[Panel], reference: float | None = None) -> Figure:
    figure, grid = _grid(title, [len(panel.bars) for panel in panels])
    for axes, panel in zip(grid, panels, strict=True):
        _panel(axes, panel, reference)
    return figure


def _panel(axes: Axes, panel: Panel, reference: float | None) -> None:
    axes.set_title(panel.title, fontweight="bold")
    for place, bar in enumerate(panel.bars):
        colour = drawing.OURS if bar.name == OURS else drawing.OTHERS
        shown = min(bar.value, panel.room)
        axes.barh(place, shown, height=0.72, color=colour)
        end = shown
        if bar.high > bar.low and bar.low < panel.room:
            end = max(end, min(bar.high, panel.room))
            axes.plot([bar.low, end], [place, place], color=drawing.DARK, linewidth=1.1, solid_capstyle="butt")
        cut = " »" if bar.value > panel.room else ""
        axes.text(end + panel.room * 0.02, place, bar.text + cut, va="center", fontsize=8.5, bbox=_CLEAR)
    if reference is not None:
        axes.axvline(reference, color=drawing.DARK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(panel.bars)), [bar.name for bar in panel.bars])
    axes.set_xlim(0, panel.room * 1.16)
    _stress(axes)


def _latencies(scenarios: Sequence[ScenarioFound]) -> Figure:
    """From each percentile to the next a line, on an axis that is logarithmic: what is rare is far out."""
    shown = [[peer for peer in each.peers if peer.percentiles] for each in scenarios]
    names = " to ".join([*shown[0][0].percentiles][:: max(1, len(shown[0][0].percentiles) - 1)])
    title = f"Latency at a held rate, {names}, in ms (further left is better)"
    figure, grid = _grid(title, [len(peers) for peers in shown])
    for axes, scenario, peers in zip(grid, scenarios, shown, strict=True):
        _percentiles(axes, scenario, peers)
    return figure


def _percentiles(axes: Axes, scenario: ScenarioFound, peers: Sequence[PeerFound]) -> None:
    axes.set_title(scenario.name, fontweight="bold")
    axes.set_xscale("log")
    for place, peer in enumerate(peers):
        colour = drawing.OURS if peer.name == OURS else drawing.OTHERS
        values = [value / 1000 for value in peer.percentiles.values()]
        axes.plot(values, [place] * len(values), color=colour, marker="|", markersize=9, linewidth=2.5, mew=2)
        last, name = values[-1], list(peer.percentiles)[-1]
        axes.annotate(
            f"{name} {last:.3g}", (last, place), (6, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    most = max(value / 1000 for peer in peers for value in peer.percentiles.values())
    least = min(value / 1000 for peer in peers for value in peer.percentiles.values())
    axes.set_xlim(least * 0.8, most * (most / least) ** 0.15 * 1.2)
    axes.set_yticks(range(len(peers)), [peer.name for peer in peers])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    _stress(axes)


def _stress(axes: Axes) -> None:
    """The name of this project is written as its bars are drawn; names have no axis beside them."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        if label.get_text() == OURS:
            label.set_color(drawing.OURS)
            label.set_fontweight("bold")


def _grid(title: str, bars: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each number of bars, row by row; bars are equally thick in all."""
    columns = min(COLUMNS, len(bars))
    most = [max(bars[at : at + columns]) for at in range(0, len(bars), columns)]
    heights = [0.21 * each for each in most]
    size = (max(WIDTH * columns / COLUMNS, LEAST), sum(heights) + 0.72 * len(heights) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    grid = figure.subplots(len(heights), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    flat = [axes for row in grid for axes in row]
    for axes in flat[len(bars) :]:
        axes.set_axis_off()
    for place, axes in enumerate(flat):
        axes.set_ylim(most[place // columns] - 0.4, -0.6)
    return figure, flat[: len(bars)]
