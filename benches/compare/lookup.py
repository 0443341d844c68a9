"""Measures how long the table takes to find a route, by itself: criterion's bench of it, of which two figures are read.

Other proxies have no such function to call, so that this is about our own among few hosts and among many.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benches.compare import progress
from benches.compare.cores import OTHER_CORE, PROXY_CORE
from benches.compare.peers import Peer
from benches.compare.programs import ROOT
from benches.compare.scenario import ONE_HOST, Lookup
from benches.compare.verdict import OURS

BENCH = ("cargo", "bench", "--quiet", "--locked", "--package=fastingress-route", "--bench=lookup")
WARM_UP_SECONDS = 0.5
KIND = "random, touched"
"""Hosts are asked for at random, and the route that is found is read, as a request does."""


@dataclass(frozen=True)
class Times:
    """Nanoseconds for each lookup, by round."""

    values: list[float]


@dataclass(frozen=True)
class Looked(Times):
    """Among many hosts."""

    one_host: Times

    @property
    def along(self) -> dict[str, Times]:
        """What was measured in the same rounds."""
        return {ONE_HOST: self.one_host}

    @property
    def beside(self) -> str:
        """Each round's."""
        return ", ".join(f"{value:.0f} ns" for value in self.one_host.values)


def measure(scenario: Lookup, peers: Sequence[Peer]) -> dict[str, Looked]:
    """Of this project alone. Raises `SystemExit` when the bench does not run."""
    del peers
    _run([*BENCH, "--no-run"], f"{PROXY_CORE},{OTHER_CORE}")
    one, many = Times([]), Times([])
    for number in range(scenario.rounds):
        counts = (1, scenario.connections)
        times = ["--warm-up-time", str(WARM_UP_SECONDS), "--measurement-time", str(scenario.seconds)]
        pattern = f"^lookup/{KIND}/({'|'.join(map(str, counts))})$"
        for count in counts:
            written(count).unlink(missing_ok=True)  # what an earlier run found is not this one's
        _run([*BENCH, "--", pattern, *times, "--noplot"], str(PROXY_CORE))
        one.values.append(found(counts[0]))
        many.values.append(found(counts[1]))
        progress.turn(scenario, OURS, number + 1, f"{many.values[-1]:.0f} ns, {one.values[-1]:.0f} ns with one host")
    return {OURS: Looked(many.values, one)}


def found(hosts: int) -> float:
    """The median in nanoseconds that criterion has just written down. Raises `SystemExit` when it has not."""
    try:
        said = written(hosts).read_text("utf-8")
    except FileNotFoundError:
        raise SystemExit(f"the bench of the lookup has measured nothing with {hosts} hosts") from None
    return float(json.loads(said)["median"]["point_estimate"])


def written(hosts: int) -> Path:
    """Where criterion writes it down."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "criterion" / "lookup" / KIND / str(hosts) / "new" / "estimates.json"


def _run(command: Sequence[str], cores: str) -> None:
    done = subprocess.run(["taskset", "-c", cores, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the bench of the lookup failed:\n{done.stdout}{done.stderr}")
