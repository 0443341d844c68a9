"""The command: writes folders, measures each, reports."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benches.scale import report
from benches.scale.measure import Measured, measure
from tests.support.backend import Backend
from tests.support.scale import Plan

RESULTS = Path(__file__).parent / "results"
KINDS = {"a host each": False, "one shared host": True}


def main() -> None:
    """Measures what was asked for."""
    asked = _arguments()
    results: dict[str, Measured] = {}
    for name, shared in KINDS.items():
        print(f"{asked.ingresses:,} Ingresses, {name}", file=sys.stderr)
        with ExitStack() as stack:
            backend = stack.enter_context(Backend())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
            plan = Plan(asked.ingresses, shared_host=shared, port=backend.address[1])
            results[name] = measure(folder, plan, rounds=asked.rounds, count=asked.edits)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(report.to_json(results, asked.ingresses), encoding="utf-8")
    print(report.markdown(results, asked.ingresses))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules["benches.scale"].__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 Ingresses, few edits: only see that it works")
    parser.add_argument("--ingresses", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2, help="processes, one after the other, for each kind of folder")
    parser.add_argument("--edits", type=int, default=100, help="in each round, for each way of writing a file")
    asked = parser.parse_args()
    if asked.quick:
        asked.ingresses, asked.rounds, asked.edits = 1_000, 1, 10
    return asked


if __name__ == "__main__":
    main()
