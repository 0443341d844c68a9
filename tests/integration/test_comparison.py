"""The comparison with other proxies runs: what needs programs of its own, with this gateway alone, for a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benches.compare import churn, process, programs
from benches.compare.__main__ import run
from benches.compare.churn import Churned
from benches.compare.peers.fastingress import Fastingress
from benches.compare.peers.nginx import Nginx
from benches.compare.scenario import Bulk, Calls, Churn, Echo
from benches.compare.scenarios import SCENARIOS
from tests.support.eventually import eventually

pytestmark = [
    pytest.mark.usefixtures("ends", "h2load", "nginx", "curl"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="proxy and load have a core each"),
]


@pytest.fixture
def ends(cargo: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built in seconds, as tests are; a bench builds it to be fast."""
    monkeypatch.setattr(programs, "BUILT", programs.BUILT.parent / "debug")
    build = ["cargo", "build", "--quiet", "--locked", f"--package={programs.ENDS}"]
    subprocess.run(build, cwd=programs.ROOT, check=True)


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS if isinstance(each, Calls | Echo)])
def test_what_a_call_or_an_echo_costs_is_measured(name: str) -> None:
    (scenario,) = (each for each in SCENARIOS if isinstance(each, Calls | Echo) and each.name == name)
    results = run(replace(scenario, rounds=1, seconds=1), [Fastingress])
    assert results.keys() == {"fastingress"}
    (figure,) = results["fastingress"].values
    assert 0 < figure < 10_000


def test_latency_is_measured_while_routes_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "CHANGES_MADE", 0.0)  # a machine that does other work may make few of them
    (scenario,) = (each for each in SCENARIOS if isinstance(each, Churn))
    found = run(replace(scenario, rounds=1, seconds=1, connections=8), [Fastingress, Nginx])
    for name, each in found.items():
        assert isinstance(each, Churned)
        changing, calm = each.turns[0], each.unchanged.turns[0]
        assert 1 <= changing.changes <= 30
        assert calm.changes == 0
        assert 0 < changing.p50 <= changing.p999
        if name == "nginx":
            assert changing.again > calm.again, "a reload closes connections"
        else:
            assert (changing.failed, changing.again, calm.failed, calm.again) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["bulk-http1-1m", "bulk-http1-up"])
def test_what_long_bodies_cost_is_measured(name: str) -> None:
    (scenario,) = (each for each in SCENARIOS if isinstance(each, Bulk) and each.name == name)
    (figure,) = run(replace(scenario, rounds=1, seconds=1), [Fastingress])["fastingress"].values
    assert 0 < figure < 60_000_000


def test_an_interrupt_ends_everything_at_once(tmp_path: Path) -> None:
    """With what was started: no process of the run is left, and no folder."""
    command = [sys.executable, "-u", "-m", "benches.compare", "--scenarios", "http1-1k", "--peers", "fastingress"]
    command += ["--rounds", "100", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as bench:
        assert bench.stdout is not None
        for line in bench.stdout:
            if line.startswith("http1-1k:"):
                break
        eventually(lambda: len(process.tree(bench.pid)) > 2)
        started = process.tree(bench.pid)[1:]
        bench.send_signal(signal.SIGINT)
        assert bench.wait(10) == 130
        assert "ended before its time: nothing was found yet" in bench.stdout.read()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert list(tmp_path.glob("compare-*")) == []
