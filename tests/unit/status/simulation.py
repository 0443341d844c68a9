"""Replicas that elect a leader on virtual time: their clocks, the lines to the API, and the one Lease behind them.

The Lease behaves as in a real API server: a PUT needs the uid and version of now, one that changes nothing is no write,
and a POST is refused when there is one. What becomes of each call is its fate.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Literal, NamedTuple

from fastingress.api import JSON, ApiError, Query, Unreachable
from fastingress.status import Elector
from tests.unit.publish.virtual import VirtualLoop

Kind = Literal["fine", "refused", "stalled", "lost", "late", "frozen", "error", "denied", "garbage"]
KINDS: tuple[Kind, ...] = ("fine", "refused", "stalled", "lost", "late", "frozen", "error", "denied", "garbage")


class Fate(NamedTuple):
    """What becomes of a call.

    `lost`: it happens, the answer does not come. `late`: it happens after the caller has given up. `frozen`: it
    happens, and the caller's process stands still until long after its own time limit.
    """

    kind: Kind = "fine"
    seconds: float = 0.02


class WatchedLoop(VirtualLoop):
    """Calls `check` before and after each move of the clock: at every instant at which anything can differ."""

    def __init__(self, check: Callable[[float], None]) -> None:
        super().__init__()
        selector: Any = self._selector  # type: ignore[attr-defined]
        move = selector.select

        def select(timeout: float | None = None) -> Any:
            check(self.time())
            happened = move(timeout)
            check(self.time())
            return happened

        selector.select = select


class LeaseServer:
    """The API server: one Lease, or none."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self._version = 0

    def handle(self, method: str, body: Any) -> bytes:
        if method == "POST":
            return self._create(body)
        if self.lease is None:
            raise ApiError(method, "/lease", 404)
        if method == "PUT":
            self._replace(body)
        return json.dumps(self.lease).encode()

    def delete(self) -> None:
        self.lease = None

    def put_unheld(self) -> None:
        """As a chart would bring one along."""
        self.lease = {"metadata": {"name": "fastingress", "uid": self._next(), "resourceVersion": self._next()}}

    def _create(self, body: Any) -> bytes:
        if self.lease is not None:
            raise ApiError("POST", "/lease", 409, reason="AlreadyExists")
        self.lease = copy.deepcopy(body)
        assert self.lease is not None
        self.lease["metadata"] |= {"uid": self._next(), "resourceVersion": self._next()}
        return json.dumps(self.lease).encode()

    def _replace(self, body: Any) -> None:
        assert self.lease is not None
        theirs, ours = body["metadata"], self.lease["metadata"]
        if (theirs["uid"], theirs["resourceVersion"]) != (ours["uid"], ours["resourceVersion"]):
            raise ApiError("PUT", "/lease", 409, reason="Conflict")
        if body["spec"] != self.lease.get("spec"):
            self.lease = copy.deepcopy(body)
            self.lease["metadata"]["resourceVersion"] = self._next()

    def _next(self) -> str:
        self._version += 1
        return str(self._version)


class Line:
    """The way of one replica to the server."""

    def __init__(self, server: LeaseServer, fates: Iterator[Fate]) -> None:
        self._server = server
        self.fates = fates
        self._late: set[asyncio.Task[None]] = set()
        self.calls: list[tuple[float, str]] = []

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
        body = copy.deepcopy(body)
        self.calls.append((asyncio.get_running_loop().time(), method))
        kind, seconds = next(self.fates, Fate())
        if kind == "fine":
            return await self._answered(method, body, min(seconds, timeout / 2))
        if kind == "frozen":
            answer = self._server.handle(method, body)
            await asyncio.sleep(seconds)
            return answer
        if kind in ("error", "denied", "garbage"):
            await asyncio.sleep(min(seconds, timeout))
            return _bad(kind, method, path)
        if kind != "refused":
            await self._silent(kind, seconds, method, body, timeout)
        raise Unreachable(f"{method} {path}: {kind}")

    async def _answered(self, method: str, body: object, seconds: float) -> bytes:
        await asyncio.sleep(seconds)
        try:
            return self._server.handle(method, body)
        finally:
            await asyncio.sleep(seconds)

    async def _silent(self, kind: Kind, seconds: float, method: str, body: object, timeout: float) -> None:
        if kind in ("lost", "late"):
            when = min(seconds, timeout / 2) if kind == "lost" else timeout + seconds
            task = asyncio.create_task(self._happens(when, method, body))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        await asyncio.sleep(timeout)

    async def _happens(self, seconds: float, method: str, body: object) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(ApiError):
            self._server.handle(method, body)


def _bad(kind: Kind, method: str, path: str) -> bytes:
    if kind == "garbage":
        return b"<html>Bad Gateway</html>"
    if kind == "denied":
        message = 'leases.coordination.k8s.io "x" is forbidden: User "u" cannot get resource "leases"'
        raise ApiError(method, path, 403, reason="Forbidden", message=message)
    raise ApiError(method, path, 500, message="etcdserver: leader changed")


class Replica:
    """One elector with its clocks. `rate` is how fast its monotonic clock goes."""

    def __init__(self, world: World, number: int, *, rate: float = 1.0) -> None:
        self.wall_offset = 0.0
        self.wall_stands = False
        self.heard: list[tuple[float, bool]] = []
        self.line = Line(world.server, world.fates)
        self._world = world
        begin = number * 1000.0
        self.elector = Elector(
            self.line,
            "ingress",
            "fastingress",
            f"pod-{number}",
            changed=lambda leading: self.heard.append((world.loop.time(), leading)),
            clock=lambda: begin + world.loop.time() * rate,
            wall=self._wall,
            random=Random(number),
            sleep=self._sleep,
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        return self.elector.leading

    def start(self) -> Replica:
        self._task = asyncio.create_task(self.elector.run())
        return self

    async def crash(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def leave(self) -> None:
        await self.crash()
        await self.elector.release()

    def _wall(self) -> float:
        return 1_700_000_000.0 if self.wall_stands else 1_700_000_000.0 + self._world.loop.time() + self.wall_offset

    async def _sleep(self, seconds: float) -> None:
        """A process may wake up late."""
        await asyncio.sleep(seconds + next(self._world.oversleeps, 0.0))


class World:
    """Some replicas and one server, and a watch over who leads at every instant."""

    def __init__(self, fates: Iterator[Fate] = iter(()), oversleeps: Iterator[float] = iter(())) -> None:  # noqa: B008
        self.server = LeaseServer()
        self.fates = fates
        self.oversleeps = oversleeps
        self.replicas: list[Replica] = []
        self.loop = WatchedLoop(self._check)
        self.broken: list[str] = []
        self.led: list[tuple[float, str]] = []
        """Who led, and from when on: one entry for each change."""

    def replica(self, *, rate: float = 1.0) -> Replica:
        made = Replica(self, len(self.replicas), rate=rate)
        self.replicas.append(made)
        return made

    def leaders(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.leading]

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        async def whole() -> None:
            await test
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        try:
            self.loop.run_until_complete(whole())
        finally:
            self.loop.close()
        assert self.broken == []

    def _check(self, now: float) -> None:
        names = [replica.elector.identity for replica in self.leaders()]
        if len(names) > 1:
            self.broken.append(f"at {now:.3f}: {names}")
        name = names[0] if names else ""
        if not self.led or self.led[-1][1] != name:
            self.led.append((now, name))
