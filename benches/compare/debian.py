"""Programs that come from Debian: what makes load, what is behind the proxies, and some of the proxies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

NEEDED = {
    "curl": "curl",
    "h2load": "nghttp2-client",
    "nginx": "nginx",
    "openssl": "openssl",
    "taskset": "util-linux",
    "wrk": "wrk",
}
"""Programs and their packages, without which nothing can be measured."""
STREAM_MODULE = "ngx_stream_module.so"
OF_PEERS = {"haproxy": "haproxy", STREAM_MODULE: "libnginx-mod-stream"}
"""The same, without which one peer is left out, or of scenarios that need a module of it."""
MODULES = Path("/usr/lib/nginx/modules")
"""Of Debian's nginx."""


def demand(of_peers: Iterable[str]) -> None:
    """Installs what is missing where that is possible. Raises `SystemExit` when something needed stays missing."""
    wanted = NEEDED | {program: OF_PEERS[program] for program in of_peers if program in OF_PEERS}
    missing = _missing(wanted)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(sorted(missing.values()))
        missing = _missing(wanted)
    if needed := {program: package for program, package in missing.items() if program in NEEDED}:
        packages = ", ".join(sorted(needed.values()))
        raise SystemExit(f"not installed: {', '.join(needed)} (Debian packages {packages}; as root they are installed)")


def _missing(wanted: dict[str, str]) -> dict[str, str]:
    return {program: package for program, package in wanted.items() if not _there(program)}


def _there(program: str) -> bool:
    return (MODULES / program).exists() if program.endswith(".so") else shutil.which(program) is not None


def _install(packages: list[str]) -> None:
    print(f"installing {', '.join(packages)} from Debian", flush=True)
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{' '.join(command)}: {done.stderr.strip()}", flush=True)
