"""Runs a program that makes load, on the core that the proxies do not use."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from benches.compare.cores import OTHER_CORE
from benches.compare.peers import Peer

LATE_SECONDS = 20
CIPHER = "TLS_AES_128_GCM_SHA256"


class EndlessError(Exception):
    """A program that makes load did not come to its end, and was ended."""


@dataclass(frozen=True)
class Answers:
    """What h2load got."""

    done: int
    per_second: float
    body_bytes: int


def h2load(peer: Peer, arguments: list[str], url: str, seconds: int) -> Answers:
    """As fast as it goes. Raises `SystemExit` when a request failed, or got another status than 200."""
    said = run(peer, ["h2load", "-t1", f"-D{seconds}", f"--tls13-ciphers={CIPHER}", *arguments, url], seconds)
    # Statuses count those of which no more than the head had come in the end.
    done = re.search(r" (\d+) succeeded, 0 failed, 0 errored, 0 timeout", said)
    well = re.search(r"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx", said)
    body = re.search(r"\((\d+)\) data", said)
    if not done or not well or not body or not int(done[1]):
        raise SystemExit(f"{peer.name}: the load failed:\n{said}")
    return Answers(int(done[1]), int(done[1]) / seconds, int(body[1]))


def run(peer: Peer, command: list[str], seconds: float, environment: Mapping[str, str] | None = None) -> str:
    """What it says. Raises `SystemExit` when it fails, and `EndlessError` when it is not done long after its time."""
    variables = {**os.environ, **(environment or {})}
    pinned = ["taskset", "-c", str(OTHER_CORE), *command]
    most = seconds + LATE_SECONDS
    try:
        done = subprocess.run(pinned, capture_output=True, text=True, check=False, timeout=most, env=variables)
    except subprocess.TimeoutExpired:
        raise EndlessError(f"{command[0]} had {seconds:g} seconds to run, and goes on after {most:g}") from None
    if done.returncode:
        raise SystemExit(f"{peer.name}: the load failed:\n{done.stdout}{done.stderr}")
    return done.stdout
