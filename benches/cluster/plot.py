"""Draws how soon changes are live: for each kind the share of them that was, by time, beside the bare watcher's.

SVG written out here, so that the bench needs no library for it; a PNG beside it where ImageMagick is installed.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from benches.cluster.latency import Latencies
from benches.cluster.report import LIVE

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 860, 420, 60, 40, 190, 50
_FONT = 'font-family="sans-serif" font-size="12"'
_LEAST, _MOST = 0.0005, 0.2
"""Seconds at both ends of the axis, which is logarithmic."""
_TICKS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_SHARES = (0, 25, 50, 75, 99)
_COLOURS = ("#1b6ca8", "#c1440e", "#3a7d44", "#7b3fa0")


def write(latencies: Mapping[str, Latencies], title: str, path: Path) -> list[Path]:
    """Writes the picture; which files there are."""
    path.write_text(_svg(latencies, title), encoding="utf-8")
    program = shutil.which("magick") or shutil.which("convert")
    if program is None:
        return [path]
    png = path.with_suffix(".png")
    done = subprocess.run([program, "-density", "144", str(path), str(png)], capture_output=True, check=False)
    return [path, png] if done.returncode == 0 else [path]


def _svg(latencies: Mapping[str, Latencies], title: str) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="14">{escape(title)}</text>',
        *_axes(),
    ]
    for place, (kind, found) in enumerate(latencies.items()):
        colour, y = _COLOURS[place % len(_COLOURS)], _TOP + 20 + 22 * place
        parts.append(_line(found.live, colour, ""))
        parts.append(_line(found.watched, colour, ' stroke-dasharray="3 3" opacity="0.7"'))
        parts.append(f'<text x="{_WIDTH - _RIGHT + 16}" y="{y}" fill="{colour}">{escape(kind)}</text>')
    y = _TOP + 30 + 22 * len(latencies)
    parts.append(f'<text x="{_WIDTH - _RIGHT + 16}" y="{y}" fill="#555">dotted: a bare watcher</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes() -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for share in _SHARES:
        y = _y(share / 100)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share} %</text>')
    for tick in _TICKS:
        x = _x(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick * 1000:g}</text>')
    x = _x(LIVE)
    parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="black" stroke-dasharray="6 3"/>')
    parts.append(f'<text x="{x + 4:.1f}" y="{_TOP - 4}">bound at 99 %</text>')
    label = "milliseconds from the acknowledged write to the new behaviour on the wire"
    parts.append(f'<text x="{(_LEFT + right) / 2:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{label}</text>')
    return parts


def _line(seconds: Sequence[float], colour: str, style: str) -> str:
    ordered = sorted(seconds)
    points = " ".join(f"{_x(at):.1f},{_y((place + 1) / len(ordered)):.1f}" for place, at in enumerate(ordered))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"{style}/>'


def _x(seconds: float) -> float:
    share = math.log(min(max(seconds, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
    return _LEFT + share * (_WIDTH - _RIGHT - _LEFT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
