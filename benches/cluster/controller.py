"""A controller process under the bench, and what the kernel and its own metrics tell of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benches.compare import process
from benches.scale.served import Gateway
from tests.support.client import fetch
from tests.support.metrics import Metrics

STATUS_ADDRESS = "192.0.2.10"
_NOT_OURS = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


class Controller(Gateway):
    """Starts one with a kubeconfig and waits until it is ready."""

    def __init__(self, kubeconfig: Path, *flags: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        environment |= {"POD_NAME": "fastingress-0", "POD_NAMESPACE": "default"}
        super().__init__(command(kubeconfig, flags), environment)

    def metrics(self) -> Metrics:
        """Its page."""
        return Metrics(fetch(self.admin, "/metrics", host="admin.example").text)

    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        return process.cpu_nanoseconds(self.child.pid) / 1e9

    def queued_seconds(self) -> float:
        """How long its threads were able to run so far and no processor was free, all added up."""
        tasks = Path(f"/proc/{self.child.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text(encoding="ascii").split()[1]) for task in tasks) / 1e9

    def memory(self) -> tuple[int, int]:
        """Bytes that are resident now, and the most that ever were."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii").splitlines()
        found = {
            line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))
        }
        return found["VmRSS"], found["VmHWM"]

    def until_steady(self, seconds: float = 5.0, deadline: float = 120.0) -> None:
        """Waits until it has used next to no processor for so many seconds."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            before = self.cpu_seconds()
            time.sleep(seconds)
            if self.cpu_seconds() - before < 0.05 * seconds:
                return
        print("  the controller has not come to rest", file=sys.stderr)


def command(kubeconfig: Path, flags: Sequence[str] = ()) -> list[str]:
    """Its command line."""
    words = [sys.executable, "-m", "fastingress", f"--kubeconfig={kubeconfig}", "--bind=127.0.0.1", "--http-port=0"]
    words += ["--https-port=0", "--admin-port=0", "--access-log=off", "--log-format=json", "--shutdown-delay=0s"]
    return [*words, *flags]
