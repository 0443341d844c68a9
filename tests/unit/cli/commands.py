"""Runs command lines: in a process of their own, as a person would, or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
"""Manifests, and what is said of them; commands run here, so that file names are as a person would give them."""


def run(
    *arguments: str, environment: dict[str, str] | None = None, prelude: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own, without any of our variables but those given.

    `prelude` is what a shell does before it becomes that process, such as `ulimit -n 20;`; redirections may end it.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTINGRESS_")}
    return subprocess.run(
        ["sh", "-c", f'{prelude} exec "$@"', "sh", sys.executable, "-m", "fastingress", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=GOLDEN,
        env=inherited | (environment or {}),
        stdin=subprocess.DEVNULL,
    )
