"""One edit among many Ingresses costs one of everything: counted, not timed.

Each count is taken where the work is done: documents parsed in the source, Ingresses translated, values sent, fragments
compiled in the Rust core. The same holds for Ingresses that share one host.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from fastingress import _core
from fastingress.control import Control
from fastingress.model import Compiled
from fastingress.publish import Outcome, ProblemBook, Published, publish
from fastingress.sources.manifests import Batch, ManifestSource
from fastingress.translate import Delta, Options, Translator
from fastingress.translate.delta import Counts
from tests.support.eventually import eventually
from tests.support.fixtures import Spawn
from tests.support.scale import PATHS, Plan, move_into_place, write_in_place

DEADLINE = 30.0
EDITED = 321

Way = Callable[[Path, str], None]
ways = pytest.mark.parametrize("way", [move_into_place, write_in_place])
hosts = pytest.mark.parametrize("shared", [False, True], ids=["a host each", "one shared host"])


class Line:
    """Everything a change goes through, one step after the other, without a data path."""

    def __init__(self, batches: AsyncGenerator[Batch, None]) -> None:
        self.batches = batches
        self.control = Control(Translator(Options(allow_local_endpoints=True)), ProblemBook())
        self.published = Published()
        self.table = _core.Table()
        self.batch: Batch
        self.delta: Delta
        self.outcome: Outcome

    async def step(self) -> None:
        """The next batch, all the way."""
        self.batch = await asyncio.wait_for(anext(self.batches), DEADLINE)
        delta = self.control.take(self.batch)
        assert delta is not None
        self.delta = delta
        changes = {**dict.fromkeys(delta.removals), **delta.upserts}
        self.outcome = publish(self.table, self.published, changes)
        assert self.outcome.error is None
        assert not self.outcome.diverged

    @property
    def compiled(self) -> Compiled:
        """The work of the Rust core for the last step."""
        assert self.outcome.report is not None
        return self.outcome.report.compiled

    def path_of(self, host: str, path: str) -> str | None:
        """The path of the route that takes a request."""
        found: dict[str, Any] | None = json.loads(self.table.lookup(host, path))
        return str(found["path"]) if found else None


@hosts
@ways
def test_one_edit_parses_translates_sends_and_compiles_one(folder: Path, way: Way, shared: bool) -> None:
    plan = Plan(1000, shared_host=shared)
    plan.write(folder)

    async def test() -> None:
        async with aclosing(ManifestSource([folder]).watch()) as batches:
            line = Line(batches)
            await line.step()
            assert line.batch.parsed_documents == 3 * plan.ingresses
            assert line.delta.counts == Counts(ingresses=1000, endpoint_sets=1000, settings=1)
            assert line.compiled == Compiled(fragments=1000, hosts=1 if shared else 1000, endpoints=1000)
            for edit in (1, 2):
                way(plan.file(folder, EDITED), plan.text(EDITED, edit))
                await line.step()
                assert line.batch.parsed_documents == 1
                assert len(line.batch.changes) == 1
                assert line.delta.counts == Counts(ingresses=1)
                assert (line.outcome.upserts, line.outcome.removals) == (1, 0)
                assert line.compiled == Compiled(fragments=1, hosts=1)
                host, path = plan.host(EDITED), plan.edited_path(EDITED, edit)
                assert line.path_of(host, path) == path
                assert line.path_of(host, plan.edited_path(EDITED, edit - 1)) is None

    asyncio.run(test())


@hosts
def test_an_endpoint_that_moves_compiles_no_fragment(folder: Path, shared: bool) -> None:
    plan = Plan(500, shared_host=shared)
    plan.write(folder)

    async def test() -> None:
        async with aclosing(ManifestSource([folder]).watch()) as batches:
            line = Line(batches)
            await line.step()
            text = plan.text(EDITED).replace('"127.0.0.1"', '"127.0.0.2"', 1)
            move_into_place(plan.file(folder, EDITED), text)
            await line.step()
            assert line.batch.parsed_documents == 1
            assert line.delta.counts == Counts(endpoint_sets=1)
            assert (line.outcome.upserts, line.outcome.removals) == (1, 0)
            assert line.compiled == Compiled(endpoints=1)

    asyncio.run(test())


def test_a_file_rewritten_as_it_was_costs_nothing_and_an_edit_taken_back_leaves_nothing(folder: Path) -> None:
    plan = Plan(300)
    plan.write(folder)

    async def test() -> None:
        async with aclosing(ManifestSource([folder]).watch()) as batches:
            line = Line(batches)
            await line.step()
            digest = line.table.digest()
            move_into_place(plan.file(folder, 0), plan.text(0))
            write_in_place(plan.file(folder, 250), plan.text(250, 1))
            await line.step()
            assert line.batch.parsed_documents == 1
            assert line.delta.counts == Counts(ingresses=1)
            write_in_place(plan.file(folder, 250), plan.text(250))
            await line.step()
            assert line.table.digest() == digest

    asyncio.run(test())


@hosts
def test_a_running_gateway_tells_the_same_counts(folder: Path, spawn: Spawn, shared: bool) -> None:
    plan = Plan(400, shared_host=shared)
    plan.write(folder)
    gateway = spawn(log_level="debug", log_format="json")
    assert len(gateway.routes()) == PATHS * plan.ingresses

    def told(event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in gateway.errors.text.splitlines()]
        return [line for line in lines if line.get("event") == event]

    for number, way in enumerate((move_into_place, write_in_place), start=1):
        way(plan.file(folder, EDITED), plan.text(EDITED, number))
        eventually(lambda number=number: len(told("published")) > number)  # type: ignore[misc]
        translated, published = told("translated")[number], told("published")[number]
        assert (translated["ingresses"], translated["endpoint_sets"]) == (1, 0)
        assert (published["upserts"], published["removals"]) == (1, 0)
        assert published["compiled"] == {"fragments": 1, "hosts": 1, "endpoints": 0, "certificates": 0}
        answer = gateway.get(plan.edited_path(EDITED, number), host=plan.host(EDITED))
        assert answer.status in (502, 503), "there is nothing behind it, but there is a route to it"
