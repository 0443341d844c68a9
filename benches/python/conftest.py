"""Fixtures of the benchmarks."""

from __future__ import annotations

import pytest

from benches.python.folders import Folder
from fastingress import collector
from tests.support.scale import Plan

SIZES = (1_000, 10_000)


@pytest.fixture(scope="session", autouse=True)
def _collector() -> None:
    """Collections as in a process that serves."""
    collector.resume()


def _id(kind: tuple[int, bool]) -> str:
    size, shared = kind
    return f"{size:,} on one host" if shared else f"{size:,} hosts"


@pytest.fixture(scope="session", params=[(size, shared) for shared in (False, True) for size in SIZES], ids=_id)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Each Ingress has a host of its own, or all share one."""
    size, shared = request.param
    return Folder(tmp_path_factory.mktemp("folder"), Plan(size, shared_host=shared))
