"""Writes down what came out of a run.

`python -m benches.compare.report RESULTS.json` makes that run the newest: it is kept in `benches/compare/results` with
its pictures, and `docs/benchmarks.md` is written from it. Without a file the page is written anew from what is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benches.compare import page, plots, tables
from benches.compare.record import Record, from_json, to_json

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NAME = "latest"


def main() -> None:
    """Keeps a run, if one is given, and writes the page."""
    if given := sys.argv[1:]:
        new = from_json(Path(given[0]).read_bytes())
        print(*write(new, RESULTS), *plots.write(new, RESULTS), sep="\n")
    pictures = {path.stem for path in RESULTS.glob("*.svg")}
    PAGE.write_text(page.text(from_json((RESULTS / f"{NAME}.json").read_bytes()), pictures), encoding="utf-8")
    print(PAGE)


def write(kept: Record, folder: Path) -> list[Path]:
    """Writes JSON and Markdown; which files these are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_bytes(to_json(kept))
    (folder / f"{NAME}.md").write_text(tables.markdown(kept) + "\n", encoding="utf-8")
    return [folder / f"{NAME}.json", folder / f"{NAME}.md"]


if __name__ == "__main__":
    main()
