"""A server that was put back to an earlier state."""

from __future__ import annotations

import asyncio

from fastingress.api import JSON, Query, Unreachable
from fastingress.sources.cluster.history import History


class Versions:
    """An API that answers these versions, one after the other; None is no answer."""

    def __init__(self, *versions: int | str | None) -> None:
        self._versions = list(versions)
        self.done = asyncio.Event()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        assert (method, path, query) == ("GET", "/ingresses", {"limit": "1"})
        if not self._versions:
            self.done.set()
            await asyncio.Event().wait()
        version = self._versions.pop(0)
        if version is None:
            raise Unreachable("GET /ingresses: away")
        return b'{"metadata": {"resourceVersion": "%s"}}' % str(version).encode()


def losses(*versions: int | str | None) -> int:
    async def test() -> int:
        api = Versions(*versions)
        lost: list[None] = []
        history = History(api, "/ingresses", lost=lambda: lost.append(None), every=0.0)
        task = asyncio.create_task(history.run())
        await asyncio.wait_for(api.done.wait(), 10)
        task.cancel()
        return len(lost)

    return asyncio.run(test())


def test_versions_that_grow_or_stay_are_nothing_special() -> None:
    assert losses(5, 5, 7, 100) == 0


def test_a_version_that_is_smaller_than_the_last_one_tells_once() -> None:
    assert losses(100, 7, 7, 8, 9) == 1
    assert losses(100, 7, 8, 3) == 2


def test_answers_that_say_nothing_are_passed_over() -> None:
    assert losses(100, None, "opaque", 101) == 0
    assert losses(100, None, "opaque", 50) == 1
