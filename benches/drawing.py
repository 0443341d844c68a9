"""How pictures of the benches look, and how they are written: as PNG, and as SVG that only figures change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

OURS = "#1b6ca8"
"""The colour of this project, and of nothing else."""
OTHERS = "#b8bec6"
DARK = "#3c4043"

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.labelcolor": DARK,
    "text.color": DARK,
    "xtick.color": DARK,
    "ytick.color": DARK,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fastingress",
}


@contextmanager
def style() -> Iterator[None]:
    """Figures are made and written within it."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def write(figure: Figure, path: Path) -> list[Path]:
    """Writes both files beside each other, whatever the ending of the path; which they are."""
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    figure.savefig(svg, metadata={"Date": None})
    figure.savefig(png, dpi=120, metadata={"Software": None})
    return [svg, png]
