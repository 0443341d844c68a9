"""The core with counters in it, installed in a folder of its own, and its counts put together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPONENT = "llvm-tools"


def merger() -> Path:
    """`llvm-profdata` of the toolchain that compiles: that of another cannot read its counts.

    Has it installed when it is missing. Raises `SystemExit` with what to do when that fails.
    """
    program = Path(_said("rustc", "--print", "target-libdir")).parent / "bin" / "llvm-profdata"
    if not program.exists() and shutil.which("rustup"):
        subprocess.run(["rustup", "component", "add", COMPONENT], cwd=ROOT, check=False)
    if program.exists():
        return program
    raise SystemExit(
        f"{program} is missing, which the compiler's training takes: `rustup component add {COMPONENT}` installs it."
        " `make UNTRAINED=1 ...` does without, for a core that costs more."
    )


def counting(counts: Path, package: Path) -> None:
    """Builds the wheel with counters, which leave what they count in one folder, and installs it into the other."""
    shutil.rmtree(package, ignore_errors=True)
    made = package.with_name("wheel")
    shutil.rmtree(made, ignore_errors=True)
    # A target that is named keeps the flags from what only builds: macros and build scripts.
    build = ["maturin", "build", "--profile=wheel", "--locked", f"--target={_said('rustc', '--print', 'host-tuple')}"]
    variables = {**os.environ, "RUSTFLAGS": f"{os.environ.get('RUSTFLAGS', '')} -Cprofile-generate={counts}".strip()}
    maturin = [sys.executable, "-m", *build, "--compatibility=linux", f"--out={made}"]
    subprocess.run(maturin, cwd=ROOT, env=variables, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={package}"]
    subprocess.run([*pip, *made.glob("*.whl")], cwd=ROOT, check=True)


def merge(program: Path, counts: Iterable[Path], out: Path) -> None:
    """Puts counts together into what `-Cprofile-use` takes."""
    made = out.with_suffix(".part")
    subprocess.run([program, "merge", f"--output={made}", *counts], check=True)
    made.replace(out)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
