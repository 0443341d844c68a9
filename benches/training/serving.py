"""`python -m benches.training.serving`: the load, on a gateway of whichever fastingress Python finds.

Its core is not loaded here, so what it counts is what the gateway does.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

from benches.compare.peers.base import free_port
from benches.training import load
from tests.support.process import Process, command_of

LOGS = ("json", "off")


def serve(log: str) -> None:
    """One gateway with this access log, and all of the load on it. It ends in good order: the end leaves the counts."""
    with tempfile.TemporaryDirectory(prefix="training-") as name, load.site(Path(name), free_port(), free_port()) as at:
        command = command_of(at.folder, access_log=log, workers=1, shutdown_delay="0s", **at.flags())
        gateway = Process(command, at.folder, dict(os.environ))
        try:
            for what, step in load.steps(gateway, at):
                print(f"training, access log {log}: {what}", flush=True)
                step()
            gateway.signal(signal.SIGTERM)
            if status := gateway.exit_status():
                raise SystemExit(f"the gateway ends with {status}:\n{gateway.errors.text}")
        finally:
            gateway.close()


if __name__ == "__main__":
    for each in LOGS:
        serve(each)
