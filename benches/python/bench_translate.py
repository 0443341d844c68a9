"""From objects to the desired state: all of it, and one edited Ingress."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from benches.python.folders import Folder
from fastingress.store import Store
from fastingress.translate import Delta, Options, Translator

ROUNDS = 5


def test_translate_everything(benchmark: BenchmarkFixture, folder: Folder) -> None:
    store = Store()
    store.apply(folder.changes)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (Translator(Options(allow_local_endpoints=True)),), {}

    def translate(translator: Translator) -> Delta:
        return translator.update(store.view(), None)

    delta = benchmark.pedantic(translate, setup=setup, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert delta.counts.ingresses == folder.plan.ingresses


def test_translate_one_edit(benchmark: BenchmarkFixture, folder: Folder) -> None:
    store, translator = folder.translated()
    edits = cycle(folder.edits)

    def edit() -> Delta:
        return translator.update(store.view(), store.apply([next(edits)]))

    delta = benchmark(edit)
    assert (delta.counts.ingresses, len(delta.upserts)) == (1, 1)
