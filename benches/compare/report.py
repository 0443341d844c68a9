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
    """Keeps a run and writes the page."""
    (given,) = sys.argv[1:] or [str(RESULTS / f"{NAME}.json")]
    kept = from_json(Path(given).read_bytes())
    pictures = plots.write(kept, RESULTS)
    PAGE.write_text(page.text(kept, {path.stem for path in pictures}), encoding="utf-8")
    print(*write(kept, RESULTS), *pictures, PAGE, sep="\n")


def write(kept: Record, folder: Path) -> list[Path]:
    """Writes JSON and Markdown; which files these are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_bytes(to_json(kept))
    (folder / f"{NAME}.md").write_text(tables.markdown(kept) + "\n", encoding="utf-8")
    return [folder / f"{NAME}.json", folder / f"{NAME}.md"]


if __name__ == "__main__":
    main()
