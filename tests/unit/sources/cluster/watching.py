"""A source at work on a small API server, and what its batches have made of a store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastingress.objects import Secret
from fastingress.problems import Problem
from fastingress.sources.cluster.kinds import Named, grants
from fastingress.sources.cluster.source import ClusterBatch, ClusterOptions, ClusterSource
from fastingress.store import Dependency, Store
from tests.unit.sources.cluster.world import World, serving

PATIENCE = 10.0


class Watching:
    """The consumer: takes batches when told to."""

    def __init__(self, world: World, source: ClusterSource, batches: AsyncIterator[ClusterBatch]) -> None:
        self.world = world
        self.source = source
        self.store = Store()
        self.problems: dict[str, list[Problem]] = {}
        self._batches = batches

    async def take(self) -> ClusterBatch:
        """The next batch."""
        batch = await asyncio.wait_for(anext(self._batches), PATIENCE)
        self.store.apply(batch.changes)
        self.problems.update(batch.problems)
        return batch

    async def blocked(self, *lines: str) -> None:
        """No batch comes, and these are the reasons."""
        first = asyncio.ensure_future(self.take())
        await eventually(lambda: self.source.waiting_for() == list(lines))
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Takes batches until it holds."""
        while not condition():
            await self.take()

    async def settle(self, *needed: str, unneeded: tuple[str, ...] = ()) -> None:
        """The first two batches; `needed` are `Secret/shop/tls` and the like."""
        assert not (await self.take()).settled
        self.need(*needed, unneeded=unneeded)
        assert (await self.take()).settled

    def need(self, *needed: str, unneeded: tuple[str, ...] = ()) -> None:
        self.source.need(map(_dependency, needed), map(_dependency, unneeded))

    def names(self, kind: str) -> list[str]:
        """Of all objects of a kind, with their namespaces."""
        found = [item.metadata for item in self.store.view().list(kind)]
        return [f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name for meta in found]

    def content(self, namespace: str, name: str) -> str | None:
        """Of a Secret."""
        secret = self.store.view().get("Secret", namespace, name)
        return secret.data["key"].decode() if isinstance(secret, Secret) else None

    def messages(self) -> list[str]:
        """All that is wrong now."""
        return [problem.message for found in self.problems.values() for problem in found]


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until it holds, for a while."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def _dependency(text: str) -> Dependency:
    return Dependency(*text.split("/"))


@asynccontextmanager
async def watching(
    world: World, *, clock: Callable[[], float] = time.monotonic, **options: Any
) -> AsyncIterator[Watching]:
    """Follows a world."""
    async with serving(world) as connection:
        source = ClusterSource(connection, ClusterOptions(own_namespace="ingress", **options), clock=clock)
        async with aclosing(source.watch()) as batches:
            yield Watching(world, source, batches)
    assert_granted(world, ClusterOptions(own_namespace="ingress", **options))


def assert_granted(world: World, options: ClusterOptions) -> None:
    """Nothing was asked for that the table of permissions does not cover."""
    anything = Named(secrets={"*": ("*",)}, config_maps={})
    covered = {(verb, grant.row.resource) for grant in grants(options, anything) for verb in grant.row.verbs}
    asked = {(verb.removesuffix(" one"), resource) for verb, resource in world.asked if verb != "review"}
    assert asked <= covered
