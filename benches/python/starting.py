"""Processor time from the start of a process to its first answer, from `examples/shop`.

User and system time of the process with all that it started, as the kernel accounts for it. Bytecode is written
beforehand, as pip does when it installs a package.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benches.compare.process import cpu_nanoseconds
from tests.support.client import fetch

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
FREE = ("--http-port=0", "--https-port=0", "--admin-port=0")
BY_MODULE = (sys.executable, "-m", "fastingress", f"--manifests={SHOP}", *FREE)
BY_EXAMPLE = (sys.executable, str(SHOP / "serve.py"), *FREE, "--backend-port=0")
_PORT = re.compile(r"ready: http on \S+?:([0-9]+)[,;]")


def starts(command: Sequence[str], rounds: int) -> list[float]:
    """Seconds of processor time of each of so many starts."""
    with tempfile.TemporaryDirectory(prefix="bytecode-") as folder:
        environment = dict(os.environ, PYTHONPYCACHEPREFIX=folder)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _start(command, environment)
        return [_start(command, environment) for _ in range(rounds)]


def _start(command: Sequence[str], environment: Mapping[str, str]) -> float:
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stderr is not None
    try:
        ready = next(match for line in child.stderr if (match := _PORT.search(line)))
        answer = fetch(("127.0.0.1", int(ready[1])), "/", host="shop.localhost")
        # Without its backends the shop answers 502, which is an answer of the gateway all the same.
        if answer.status not in (200, 502):
            raise RuntimeError(f"the shop answers {answer.status}")
        return cpu_nanoseconds(child.pid) / 1e9
    finally:
        child.send_signal(signal.SIGINT)
        child.stderr.close()
        child.wait(30)
