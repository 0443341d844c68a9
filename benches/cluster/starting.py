"""The start of a controller, its memory, and the writing of all statuses."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benches.cluster.controller import STATUS_ADDRESS, Controller
from benches.cluster.plan import Plan
from tests.cluster.support.api import Api

_LONGEST = 600.0
_FLAGS = (f"--publish-status-address={STATUS_ADDRESS}",)


@dataclass(frozen=True)
class Start:
    """Of one process."""

    ready_seconds: float
    cpu_seconds: float
    """When it was ready."""
    settled_cpu_seconds: float
    """When it had come to rest: the status of all Ingresses was looked at."""
    steady_bytes: int
    peak_bytes: int


def started(kubeconfig: Path) -> Controller:
    """A controller that takes part in everything."""
    return Controller(kubeconfig, *_FLAGS)


def measure(kubeconfig: Path, rounds: int) -> list[Start]:
    """So many processes, one after the other."""
    found = []
    for number in range(rounds):
        with started(kubeconfig) as controller:
            _say(f"round {number + 1} of {rounds}: ready after {controller.start_seconds:.2f} s")
            controller.until_steady()
            steady, peak = controller.memory()
            found.append(
                Start(controller.start_seconds, controller.start_cpu_seconds, controller.cpu_seconds(), steady, peak)
            )
    return found


@dataclass(frozen=True)
class Statuses:
    """The writing of the status of all Ingresses, in seconds from readiness on."""

    leading_seconds: float
    """When it led: a Lease that is new makes nobody a leader before it could have run out."""
    written_seconds: float
    cpu_seconds: float
    """Processor time from leading on."""


def write_statuses(kubeconfig: Path, api: Api, plan: Plan) -> Statuses:
    """Until no Ingress is without an address."""
    with started(kubeconfig) as controller:
        began = time.monotonic()
        leading = _until(controller, "fastingress_leader", 1) - began
        cpu = controller.cpu_seconds()
        written = _until(controller, "fastingress_status_writes_total", plan.ingresses) - began
        found = Statuses(leading, written, controller.cpu_seconds() - cpu)
    without = [each for each in api.list("Ingress") if not each["status"]["loadBalancer"]]
    if without:
        raise RuntimeError(f"{len(without)} Ingresses have no address in their status")
    return found


def _until(controller: Controller, metric: str, value: float) -> float:
    """When a metric has reached a value."""
    end, last = time.monotonic() + _LONGEST, -1.0
    while True:
        now = controller.metrics().sum(metric)
        if now != last:
            _say(f"{metric}: {now:,.0f}", end="\r" if now < value else "\n")
        if now >= value:
            return time.monotonic()
        if time.monotonic() > end:
            raise RuntimeError(f"{metric} is {now:,.0f} and not {value:,.0f} after {_LONGEST:g} s")
        last = now
        time.sleep(0.1)


def _say(text: str, end: str = "\n") -> None:
    print(f"  {text}", end=end, file=sys.stderr, flush=True)
