"""The cluster source alone, on a thread of its own: what it has of the cluster, without a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from fastingress.objects import Object, ObjectKey
from fastingress.sources.cluster.credentials import connect
from fastingress.sources.cluster.source import ClusterOptions, ClusterSource, Counters
from fastingress.store import Dependency, Upsert
from tests.support.eventually import eventually
from tests.support.loop_thread import LoopThread

T = TypeVar("T")


class Watching:
    """A `ClusterSource` from `__enter__`, which waits until it has settled, to `__exit__`.

    It needs no Secret but those in `needed`, and those that it is told of later.
    """

    def __init__(self, kubeconfig: Path, options: ClusterOptions, needed: Iterable[Dependency] = ()) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self._kubeconfig = kubeconfig
        self._options = options
        self._needed = tuple(needed)
        self._is_settled = threading.Event()
        self._thread = LoopThread("watching")

    def __enter__(self) -> Watching:
        self._thread.start()
        self._task = self._thread.do(lambda: asyncio.ensure_future(self._watch()))
        eventually(self._is_settled.is_set, what="a settled source")
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._stop())
        self._thread.end()

    def has(self, kind: str, namespace: str, name: str) -> bool:
        """Whether it knows of the object now."""
        return ObjectKey(kind, namespace, name) in self.objects

    def counters(self) -> Counters:
        """What the source counts."""
        return self._source.counters()

    def need(self, needed: Iterable[Dependency], unneeded: Iterable[Dependency] = ()) -> None:
        """Tells it what is needed from now on, and what is not any more."""
        self._thread.do(lambda: self._source.need(needed, unneeded))

    def look(self, at: Callable[[object], T]) -> T:
        """What a function makes of the source and of all that it has told; nothing changes meanwhile."""
        return self._thread.do(lambda: at([self._source, self.objects]))

    async def _stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        connection = await connect(kubeconfig=str(self._kubeconfig))
        try:
            self._source = ClusterSource(connection, self._options)
            async with contextlib.aclosing(self._source.watch()) as batches:
                async for batch in batches:
                    for change in batch.changes:
                        if isinstance(change, Upsert):
                            self.objects[change.object.key] = change.object
                        else:
                            self.objects.pop(change.key, None)
                    if batch.settled:
                        self._is_settled.set()
                    else:
                        self._source.need(self._needed)
        finally:
            await connection.close()
