"""An API server on loopback that plays a script: each request gets the next step, and the last one for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any

import msgspec
from aiohttp import web

from fastingress.sources.cluster.identity import Identity, Loaded
from fastingress.sources.cluster.reflector import Reflector, Trouble
from fastingress.sources.cluster.transport import Connection

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]
GIVE_UP = 10.0


class Server:
    """`requests` are those that came; `url` is where it listens."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[web.Request] = []
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return await step(request)

    def watches(self) -> list[web.Request]:
        return [request for request in self.requests if "watch" in request.query]

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listens; after a stop, on the same port again."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.0, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=tls, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        for request in self.requests:
            if request.transport is not None:
                request.transport.abort()
        if runner is not None:
            await runner.cleanup()


def status(code: int, reason: str = "", message: str = "", headers: dict[str, str] | None = None, **more: Any) -> Step:
    """An answer as API servers refuse."""
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message, **more}

    async def step(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=code, headers=headers)

    return step


def answer(body: bytes | dict[str, Any], code: int = 200) -> Step:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, status=code)

    return step


def page(items: Iterable[Any] | None, version: str = "10", rest: str = "") -> Step:
    listed = None if items is None else list(items)
    return answer({"kind": "List", "metadata": {"resourceVersion": version, "continue": rest}, "items": listed})


def stream(*lines: bytes, then: str = "hold") -> Step:
    """Lines, and then `hold` the connection, `end` the answer, `reset` the connection."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if then == "hold":
            await asyncio.sleep(1e6)
        if then == "reset":
            assert request.transport is not None
            await asyncio.sleep(0.02)
            request.transport.abort()
        return response

    return step


async def hang(request: web.Request) -> web.StreamResponse:
    """No answer at all."""
    await asyncio.sleep(1e6)
    raise AssertionError


def item(name: str, version: int) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": item(name, version)}, separators=(",", ":")).encode() + b"\n"


def bookmark(version: int, *, ends_list: bool = False) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if ends_list:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return json.dumps({"type": "BOOKMARK", "object": {"kind": "Service", "metadata": metadata}}).encode() + b"\n"


def failed(code: int, message: str = "") -> bytes:
    """An event that ends a watch."""
    return (
        json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code, "message": message}}).encode() + b"\n"
    )


class Given:
    """An identity, or one after the other as they are asked for with force."""

    def __init__(self, *identities: Identity) -> None:
        self.identities = list(identities)
        self.forced = 0

    async def load(self, *, force: bool) -> Loaded:
        self.forced += force
        if force and len(self.identities) > 1:
            self.identities.pop(0)
        return Loaded(self.identities[0], 1e9)


@contextlib.asynccontextmanager
async def serving(*steps: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, Connection]]:
    """A server, and a connection to it."""
    server = Server(*steps)
    await server.start(tls)
    given = Given(Identity(server.url))
    connection = Connection(given, await given.load(force=False))
    try:
        yield server, connection
    finally:
        await connection.close()
        await server.stop()


class Notes:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.versions: list[str] = []
        self.troubles: list[Trouble | None] = []
        self.trip_over = ""

    def began(self, reflector: Reflector) -> None:
        self.told.append("began")

    def item(self, raw: bytes | msgspec.Raw, version: str) -> None:
        self.told.append(name := name_of(raw))
        self.versions.append(version)
        if name == self.trip_over:
            raise RuntimeError("the sink has a mistake")

    def gone(self, raw: bytes | msgspec.Raw) -> None:
        self.told.append(f"-{name_of(raw)}")

    def synced(self, reflector: Reflector) -> None:
        self.told.append("synced")

    def trouble(self, reflector: Reflector, problem: Trouble | None) -> None:
        self.troubles.append(problem)


def name_of(raw: bytes | msgspec.Raw) -> str:
    try:
        return str(msgspec.json.decode(raw)["metadata"]["name"])
    except Exception:
        return "?"


@contextlib.asynccontextmanager
async def following(*reflectors: Reflector) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    """Waits until something holds; fails when it has not for far too long."""
    deadline = asyncio.get_running_loop().time() + GIVE_UP
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "what was waited for did not come"
        await asyncio.sleep(0.005)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)
