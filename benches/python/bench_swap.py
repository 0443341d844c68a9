"""From the desired state to a table that every worker of a running gateway uses: all of it, and one edited Ingress."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.python.folders import Folder
from fastingress import _core
from fastingress.app import core_options
from fastingress.config import from_options
from fastingress.publish import Outcome, Published, publish

ROUNDS = 5


@pytest.fixture
def core() -> Iterator[_core.Gateway]:
    options = {"bind": ("127.0.0.1",), "http_port": 0, "https_port": 0, "admin_port": 0, "access_log": "off"}
    gateway = _core.Gateway(core_options(from_options({**options, "manifests": ["."]})))
    gateway.serve()
    try:
        yield gateway
    finally:
        gateway.stop()


def test_swap_everything(benchmark: BenchmarkFixture, folder: Folder, core: _core.Gateway) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        publish(core, Published(), {}, full=True)
        return (), {}

    def swap() -> Outcome:
        return publish(core, Published(), folder.values, full=True)

    outcome = benchmark.pedantic(swap, setup=setup, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert outcome.report is not None
    assert outcome.report.compiled.fragments == folder.plan.ingresses


def test_swap_one_edit(benchmark: BenchmarkFixture, folder: Folder, core: _core.Gateway) -> None:
    published = Published()
    publish(core, published, folder.values, full=True)
    edits = cycle(folder.edited_values)

    def swap() -> Outcome:
        return publish(core, published, next(edits))

    outcome = benchmark(swap)
    assert outcome.report is not None
    assert outcome.report.compiled.fragments == 1
