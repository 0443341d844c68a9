"""The command: builds, counts, compares with what is committed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from benches.instructions import counting
from benches.instructions.table import Figures, grown, markdown

FIGURES = Path(__file__).with_name("figures.json")


def main() -> None:
    """Ends with 1 when a step takes much more than is committed, counted on the same toolchain."""
    parser = argparse.ArgumentParser(prog="python -m benches.instructions")
    parser.description = sys.modules["benches.instructions"].__doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--write", action="store_true", help=f"make these the committed figures, in {FIGURES.name}")
    asked = parser.parse_args()
    if missing := counting.missing():
        raise SystemExit(missing)
    now = counting.count()
    committed = msgspec.json.decode(FIGURES.read_bytes(), type=Figures) if FIGURES.exists() else Figures({}, {})
    print(markdown(now, committed))
    if asked.write:
        FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(now), indent=2) + b"\n")
    elif worse := grown(now, committed):
        print(
            f"\n{', '.join(worse)}: grown. If that is meant, `make bench-instructions ARGS=--write` renews the figures."
        )
        raise SystemExit(1)


if __name__ == "__main__":
    main()
