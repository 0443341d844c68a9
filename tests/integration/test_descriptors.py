"""When descriptors run out, accepting backs off and goes on once there are some again."""

from __future__ import annotations

import resource
from contextlib import ExitStack

from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.proc import cpu_seconds, descriptors


def test_accepting_backs_off_and_recovers(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), workers=1)
    assert process.get("/").status == 200

    def refused() -> float:
        return process.metrics().sum("fastingress_refused_total", reason="descriptors")

    few = descriptors(process.pid) + 8
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (few, hard))
    with ExitStack() as clients:
        for _ in range(32):
            clients.enter_context(process.connect())
        before = refused()
        spent = cpu_seconds(process.pid)
        process.until(lambda: refused() >= before + 3)
        # A loop without pauses would have tried thousands of times and spent all of the time in between.
        assert refused() < before + 50
        assert cpu_seconds(process.pid) - spent < 1.0
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    process.until(lambda: process.get("/").status == 200)
