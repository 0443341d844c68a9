"""Reading a file of 100 Ingresses, Services and EndpointSlices: all of it, and with one edit since it was last read."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from fastingress.sources.manifests.documents import FileContent, read_content
from tests.support.scale import Plan

PLAN = Plan(100)
PATH = "part-000.yaml"


def _read(edit: int, before: FileContent | None) -> FileContent:
    return read_content(PLAN.text(50, edit).encode(), PATH, PATH, before)


def test_read_a_file(benchmark: BenchmarkFixture) -> None:
    data = PLAN.text(50).encode()
    content = benchmark(read_content, data, PATH, PATH, None)
    assert content.parsed == 300


def test_read_a_file_with_one_edit(benchmark: BenchmarkFixture) -> None:
    before = _read(0, None)
    data = PLAN.text(50, 1).encode()
    content = benchmark(read_content, data, PATH, PATH, before)
    assert content.parsed == 1
