"""The bounds of the Python side: `python -m benches.python` measures each, and ends with 1 if one is not met."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from benches import arguments
from benches.python import figures, starting
from benches.python.figures import Figure

_STREAM = 500
"""Changes a second that the bounds are about: a burst is some ten of them."""
_OTHER_STREAMS = (100, 1000)


def main() -> None:
    """Measures and prints."""
    asked = _arguments()
    found = list(measured(asked.ingresses, asked.rounds, asked.seconds))
    print(figures.table(found))
    broken = [figure.what for figure in found if not figure.is_met]
    print(
        f"\nnot met: {'; '.join(broken)}"
        if broken
        else f"\nall bounds are met; those on changes are for {_STREAM} a second"
    )
    raise SystemExit(1 if broken else 0)


def measured(ingresses: int, rounds: int, seconds: int) -> Iterator[Figure]:
    """All figures; those with a bound first of their kind."""
    many = f"{ingresses:,} Ingresses"
    for name, command in (
        ("python -m fastingress", starting.BY_MODULE),
        ("serve.py and all it starts", starting.BY_EXAMPLE),
    ):
        _say(f"start by {name}")
        yield figures.of(f"CPU from start to first answer, {name}", "s", starting.starts(command, rounds), 0.5)
    _say(f"translation of {many}")
    yield figures.of(f"translate {many}", "s", _part("translating", ingresses, rounds), 0.5)
    for rate in (_STREAM, *_OTHER_STREAMS):
        yield from _changes(ingresses, rate, seconds, rounds)


def _changes(ingresses: int, rate: int, seconds: int, rounds: int) -> Iterator[Figure]:
    _say(f"{rate} endpoint changes a second")
    found = [_part("changing", ingresses, rate, seconds) for _ in range(max(1, rounds // 3))]
    bounds = (300.0, 100.0) if rate == _STREAM else (None, None)
    at = f"an endpoint change of {rate} a second"
    yield figures.of(f"{at}, Python", "us", (each["python"] for each in found), bounds[0])
    yield figures.of(f"{at}, Rust: compile and swap", "us", (each["rust"] for each in found), bounds[1])
    yield figures.of(f"{at}, Rust: other threads", "us", (each["others"] for each in found))
    yield figures.of(f"{at}, changes in one swap", "", (each["changes_per_apply"] for each in found))
    if rate == _STREAM:
        yield figures.of(f"memory with {ingresses:,} Ingresses", "MiB", (each["resident_mib"] for each in found))


def _part(name: str, *arguments: int) -> Any:
    """What a part prints, in a process of its own."""
    command = [sys.executable, "-m", f"benches.python.{name}", *map(str, arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _say(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.python", description=sys.modules["benches.python"].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--ingresses", type=arguments.count, default=10_000, metavar="N", help="that there are (10,000)"
    )
    parser.add_argument("--rounds", type=arguments.count, default=9, metavar="N", help="of which the median counts (9)")
    parser.add_argument(
        "--seconds", type=arguments.count, default=5, metavar="N", help="that each stream of changes lasts (5)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
