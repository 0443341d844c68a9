"""Manifests as text, and a consumer of a source that sees the world as the batches tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from fastingress.objects import Ingress, Object, ObjectKey
from fastingress.problems import Problem
from fastingress.sources.manifests import Batch, ManifestSource
from fastingress.store import Upsert

PATIENCE = 20.0
"""Seconds after which a test gives up waiting."""


def ingress(name: str, host: str = "", namespace: str = "default") -> str:
    return f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {namespace}
spec:
  rules:
  - host: {host or name}.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {{service: {{name: {name}, port: {{number: 80}}}}}}
"""


def file_of(*documents: str) -> str:
    return "---\n".join(documents)


def move_into_place(path: Path, text: str) -> None:
    """Writes a file beside and renames it, as careful programs do."""
    beside = path.parent / f".{path.name}.new"
    beside.write_text(text)
    beside.rename(path)


class World:
    """What a consumer knows after the batches so far."""

    def __init__(self, batches: AsyncIterator[Batch] | None = None) -> None:
        self._batches = batches
        self.objects: dict[ObjectKey, Object] = {}
        self.problems: dict[str, list[Problem]] = {}
        self.history: list[Batch] = []

    def take(self, batch: Batch) -> None:
        keys = [change.object.key if isinstance(change, Upsert) else change.key for change in batch.changes]
        assert len(keys) == len(set(keys)), "an object is in a batch once"
        for change in batch.changes:
            if isinstance(change, Upsert):
                self.objects[change.object.key] = change.object
            else:
                del self.objects[change.key]
        self.problems |= batch.problems
        self.problems = {path: problems for path, problems in self.problems.items() if problems}
        self.history.append(batch)

    async def next(self) -> Batch:
        assert self._batches is not None
        batch = await asyncio.wait_for(anext(self._batches), PATIENCE)
        self.take(batch)
        return batch

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self.next()

    async def until_host(self, name: str, host: str) -> None:
        await self.until(lambda: self.hosts().get(name) == host)

    def hosts(self) -> dict[str, str]:
        """Host by name of the Ingress."""
        return {
            item.metadata.name: item.spec.rules[0].host.removesuffix(".example.com")
            for item in self.objects.values()
            if isinstance(item, Ingress)
        }

    def codes(self) -> list[str]:
        return [problem.code for path in sorted(self.problems) for problem in self.problems[path]]

    def all_problems(self) -> list[Problem]:
        return [problem for path in sorted(self.problems) for problem in self.problems[path]]


def scanned(*paths: Path) -> World:
    world = World()
    world.take(ManifestSource(paths).scan())
    return world


def watching(folder: Path, scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    """Runs a scenario with a consumer that has the first batch already."""

    async def run() -> None:
        batches = ManifestSource([folder]).watch()
        world = World(batches)
        try:
            await world.next()
            await scenario(world)
        finally:
            await batches.aclose()

    asyncio.run(run())
