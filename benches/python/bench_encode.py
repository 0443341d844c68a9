"""From the desired state to the bytes of a change set: values, the difference to what is published, the envelope."""

from __future__ import annotations

from itertools import cycle

from pytest_benchmark.fixture import BenchmarkFixture

from benches.python.folders import Folder
from fastingress.model import STRUCT_OF, decode, encode, encode_change_set
from fastingress.publish import Published


def test_encode_all_values(benchmark: BenchmarkFixture, folder: Folder) -> None:
    values = [decode(blob, STRUCT_OF[kind]) for (kind, _), blob in folder.values.items()]
    blobs = benchmark(lambda: [encode(value) for value in values])
    assert blobs == list(folder.values.values())


def test_encode_everything(benchmark: BenchmarkFixture, folder: Folder) -> None:
    def encoded() -> bytes:
        difference = Published().difference(folder.values, full=True)
        return encode_change_set(difference.upserts, difference.removals, difference.full)

    assert len(benchmark(encoded)) > sum(map(len, folder.values.values()))


def test_encode_one_edit(benchmark: BenchmarkFixture, folder: Folder) -> None:
    published = Published()
    published.commit(published.difference(folder.values, full=True))
    edits = cycle(folder.edited_values)

    def encoded() -> bytes:
        difference = published.difference(next(edits))
        published.commit(difference)
        return encode_change_set(difference.upserts, difference.removals, difference.full)

    assert b"fragment" in benchmark(encoded)
