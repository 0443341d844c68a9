"""Programs that come from Debian: what makes load, what is behind the proxies, and some of the proxies."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
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
ASKED = {"wrk": ["-v"], "h2load": ["--version"], "curl": ["--version"], "openssl": ["version"], "nginx": ["-v"]}
"""How each of them is asked for its version."""
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


def versions() -> dict[str, str]:
    """Of what makes load and of what is behind the proxies: their figures depend on it, too."""
    tools = {program: _version([program, *asked]) for program, asked in ASKED.items()}
    return {**tools, "Python": platform.python_version(), "its OpenSSL": ssl.OPENSSL_VERSION.split()[1]}


def _version(command: list[str]) -> str:
    """The first that looks like one; empty where there is none. Some write it to standard error, or end with 1."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+\S*", done.stdout + done.stderr)
    return found[0] if found else ""


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
