"""Runs the steps under callgrind."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benches.instructions.table import Figures

ROOT = Path(__file__).parents[2]
PROGRAM = "fastingress-bench-instructions"
PROFILE = "counted"


@dataclass(frozen=True)
class Step:
    """One thing that a request goes through."""

    what: str
    name: str
    """In the program."""
    times: int = 1000
    """N. Enough for what differs from start to start, a few thousand instructions, to vanish."""
    besides: str = ""
    """A step that this one has to do first, which is taken off."""


STEPS = (
    Step("request head: find its end, parse", "request-head"),
    Step("path into the form that is matched", "path"),
    Step("lookup, 1 host of 3 paths", "lookup"),
    # The seed of the table's hashes differs from start to start: making it does, by some hundred thousand.
    Step("lookup, 10,000 hosts of 3 paths", "lookup-10000", times=200_000),
    Step("filters on the request, none with a policy", "request-filtered", besides="request-head"),
    Step("request head: write for the backend", "request-encoded"),
    Step("response head: find its end, parse, filters", "response-head"),
    Step("response head: write for the client", "response-encoded"),
)


def missing() -> str:
    """What has to be installed first; empty when all is there."""
    return "" if shutil.which("valgrind") else "not installed: valgrind (Debian package of the same name)"


def count() -> Figures:
    """Builds the program and counts every step."""
    build = ["cargo", "build", "--quiet", "--locked", f"--profile={PROFILE}", f"--package={PROGRAM}"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / PROFILE / PROGRAM
    runs = [(step.name, times) for step in STEPS for times in (step.times, 2 * step.times)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # what else runs changes no count
        collected = dict(zip(runs, pool.map(lambda run: _instructions(program, *run), runs), strict=True))
    return Figures(_counted_on(program), per_step(collected))


def per_step(collected: dict[tuple[str, int], int]) -> dict[str, int]:
    """What each step takes once, from what runs of N times and of 2 N times took."""

    def once(name: str, times: int) -> float:
        return (collected[name, 2 * times] - collected[name, times]) / times

    by_name = {step.name: once(step.name, step.times) for step in STEPS}
    return {step.what: round(by_name[step.name] - by_name.get(step.besides, 0)) for step in STEPS}


def collected_in(said: str) -> int:
    """What callgrind says at its end. Raises `ValueError` when it says nothing."""
    found = re.search(r"Collected : (\d+)", said)
    if not found:
        raise ValueError(f"callgrind counted nothing:\n{said}")
    return int(found[1])


def _instructions(program: Path, name: str, times: int) -> int:
    return collected_in(_run(program, name, str(times)).stderr)


def _run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def _counted_on(program: Path) -> dict[str, str]:
    """What counts depend on. Valgrind shows a processor of its own, but only what it can have of the real one."""

    def said(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return {
        "compiler": said("rustc", "--version"),
        "processor, as seen inside": _run(program, "machine").stdout.strip(),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": said("valgrind", "--version"),
    }
