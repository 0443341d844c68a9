"""Runs a program that makes load, on the core that the proxies do not use."""

from __future__ import annotations

import subprocess

from benches.compare.peers import Peer
from benches.compare.peers.base import OTHER_CORE


def run(peer: Peer, command: list[str], seconds: float) -> str:
    """What it says. Raises `SystemExit` when it fails; it may take half a minute longer than it is meant to."""
    pinned = ["taskset", "-c", str(OTHER_CORE), *command]
    done = subprocess.run(pinned, capture_output=True, text=True, check=False, timeout=seconds + 30)
    if done.returncode:
        raise SystemExit(f"{peer.name}: the load failed:\n{done.stdout}{done.stderr}")
    return done.stdout
