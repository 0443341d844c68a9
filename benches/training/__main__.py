"""The command: builds with counters, has it serve, puts the counts together."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benches.training import building


def main() -> None:
    """Leaves what the compiler is to be trained on in the file that was asked for, and its own files beside it."""
    parser = argparse.ArgumentParser(prog="python -m benches.training")
    parser.description = sys.modules["benches.training"].__doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where it goes")
    out = parser.parse_args().out.resolve()
    merger = building.merger()
    counts, package = out.with_name("counts"), out.with_name("package")
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir(parents=True)
    building.counting(counts, package)
    serving = [sys.executable, "-m", "benches.training.serving"]
    subprocess.run(serving, cwd=building.ROOT, env={**os.environ, "PYTHONPATH": str(package)}, check=True)
    if not (written := sorted(counts.glob("*.profraw"))):
        raise SystemExit(f"the core has left no counts in {counts}")
    building.merge(merger, written, out)


if __name__ == "__main__":
    main()
