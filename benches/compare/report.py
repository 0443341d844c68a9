"""Writes down what came out of a run.

`python -m benches.compare.report RESULTS.json` makes that run the newest: it is kept in `benches/compare/results` with
its pictures, and `docs/benchmarks.md` is written from it. Several become one, scenario by scenario. Without a file the
page is written anew from what is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from benches.compare import page, plots, tables
from benches.compare.record import Record, from_json, joined, to_json

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NAME = "latest"


def main() -> None:
    """Keeps a run, if one is given, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benches.compare.report", description="Makes a run the newest.")
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RESULTS.json",
        help="of several, which had other scenarios, one is made; without any the page is written anew",
    )
    given: list[Path] = parser.parse_args().runs
    if given:
        new = joined([_read(path) for path in given])
        print(*write(new, RESULTS), *plots.write(new, RESULTS), sep="\n")
    pictures = {path.stem for path in RESULTS.glob("*.svg")}
    PAGE.write_text(page.text(_read(RESULTS / f"{NAME}.json"), pictures), encoding="utf-8")
    print(PAGE)


def _read(path: Path) -> Record:
    try:
        return from_json(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise SystemExit(f"{path} is no run that can be read: {error}") from None


def write(kept: Record, folder: Path) -> list[Path]:
    """Writes JSON and Markdown; which files these are."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"json": to_json(kept), "md": tables.markdown(kept).encode() + b"\n"}
    return [_replace(folder / f"{NAME}.{ending}", content) for ending, content in contents.items()]


def _replace(path: Path, content: bytes) -> Path:
    """What is there stays when the disk is full."""
    made = path.with_name(f".{path.name}.new")
    try:
        made.write_bytes(content)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return path


if __name__ == "__main__":
    main()
