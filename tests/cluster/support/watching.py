"""The cluster source alone, on a thread of its own: what it has of the cluster, without a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

from fastingress.objects import Object, ObjectKey
from fastingress.sources.cluster.credentials import connect
from fastingress.sources.cluster.source import ClusterOptions, ClusterSource, Counters
from fastingress.store import Upsert
from tests.support.eventually import eventually


class Watching:
    """A `ClusterSource` from `__enter__`, which waits until it has settled, to `__exit__`. It needs no Secret."""

    def __init__(self, kubeconfig: Path, options: ClusterOptions) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self._kubeconfig = kubeconfig
        self._options = options
        self._is_settled = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="watching", daemon=True)

    def __enter__(self) -> Watching:
        self._thread.start()
        eventually(self._is_settled.is_set, what="a settled source")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)

    def has(self, kind: str, namespace: str, name: str) -> bool:
        """Whether it knows of the object now."""
        return ObjectKey(kind, namespace, name) in self.objects

    def counters(self) -> Counters:
        """What the source counts."""
        return self._source.counters()

    def _live(self) -> None:
        try:
            self._task = self._loop.create_task(self._watch())
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

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
                        self._source.need(())
        finally:
            await connection.close()
            await asyncio.sleep(0.1)  # lets the transports of TLS end
