"""A small API server on loopback: real HTTP, lists as streams, watches, selectors, versions, permissions."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from fastingress.sources.cluster.identity import Identity, Loaded
from fastingress.sources.cluster.kinds import ROWS
from fastingress.sources.cluster.transport import Connection

_KINDS = {row.resource: row.kind for row in ROWS}
_VERSIONS = {row.kind: f"{row.group}/{row.version}" if row.group else row.version for row in ROWS}

Place = tuple[str, str, str]
"""Resource, namespace, name."""
Object = dict[str, Any]


class World:
    """All objects, all that happened to them, and who may not see them."""

    def __init__(self) -> None:
        self.denied: set[tuple[str, str]] = set()
        """Verb and resource, in every namespace and by any name."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """Calls that were denied."""
        self.asked: Counter[tuple[str, str]] = Counter()
        """Calls by verb and resource; a watch of one object is `watch one`."""
        self.unwell = False
        """Whether it says so when it is asked for its version."""
        self.hold: asyncio.Event = asyncio.Event()
        """Cleared, answers to GETs of one object wait."""
        self.hold.set()
        self._objects: dict[Place, Object] = {}
        self._log: list[tuple[Place, Object | None, Object | None]] = []
        """What an object was before, and what it is."""
        self._changed = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()

    def put(self, kind: str, namespace: str, name: str, **rest: Any) -> None:
        """Creates or replaces an object; labels go into its metadata."""
        resource = next(resource for resource, known in _KINDS.items() if known == kind)
        metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(len(self._log) + 1)}
        metadata |= {"namespace": namespace} if namespace else {}
        metadata |= {"labels": rest.pop("labels")} if "labels" in rest else {}
        item = {"apiVersion": _VERSIONS[kind], "kind": kind, "metadata": metadata, **rest}
        self._happened((resource, namespace, name), item)

    def secret(self, namespace: str, name: str, text: str) -> None:
        """A Secret with that one entry."""
        self.put("Secret", namespace, name, data={"key": base64.b64encode(text.encode()).decode()})

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes an object."""
        resource = next(resource for resource, known in _KINDS.items() if known == kind)
        self._happened((resource, namespace, name), None)

    def _happened(self, place: Place, item: Object | None) -> None:
        self._log.append((place, self._objects.pop(place, None), item))
        if item is not None:
            self._objects[place] = item
        task = asyncio.get_running_loop().create_task(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request."""
        if request.path == "/version":
            return _status(500, "unwell") if self.unwell else web.json_response({"major": "1"})
        if request.path.endswith("/selfsubjectaccessreviews"):
            return await self._review(request)
        parts = request.path.split("/")[3 if request.path.startswith("/api/") else 4 :]
        namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 2 else ""
        resource, name, *_ = (*(parts[2:] if namespace else parts), "")
        watch = request.query.get("watch") == "true"
        verb = "watch" if watch else "get" if name else "list"
        by_name = "metadata.name=" in request.query.get("fieldSelector", "")
        self.asked[f"{verb} one" if watch and by_name else verb, resource] += 1
        if (verb, resource) in self.denied:
            self.refused[verb, resource] += 1
            return _status(403, f"{resource} is forbidden: cannot {verb}")
        if watch:
            return await self._watch(request, _matcher(request, resource, namespace))
        await self.hold.wait()
        item = self._objects.get((resource, namespace, name))
        return _status(404, f"{name} not found") if item is None else web.json_response(item)

    async def _review(self, request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        resource = f"{asked['resource']}/{asked['subresource']}".rstrip("/")
        allowed = (asked["verb"], resource) not in self.denied
        place = f"{asked['namespace'] or '*'}/{asked['name'] or '*'}"
        self.asked["review", f"{asked['verb']} {resource} {place}"] += 1
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    async def _watch(self, request: web.Request, matches: Callable[[Place, Object | None], bool]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        at = len(self._log)
        if request.query.get("sendInitialEvents") == "true":
            for place, item in list(self._objects.items()):
                if matches(place, item):
                    await _event(response, "ADDED", item)
            ended = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": str(at)}
            await _event(response, "BOOKMARK", {"metadata": ended})
        else:
            at = int(request.query["resourceVersion"])
        while True:
            for event, item in self._since(at, matches):
                await _event(response, event, item)
            at = len(self._log)
            async with self._changed:
                while len(self._log) == at:
                    await self._changed.wait()

    def _since(self, at: int, matches: Callable[[Place, Object | None], bool]) -> Iterator[tuple[str, Object]]:
        for number, (place, before, after) in enumerate(self._log[at:], at + 1):
            was, there = matches(place, before), matches(place, after)
            if there and after is not None:
                yield "MODIFIED" if was else "ADDED", after
            elif was and before is not None:
                yield "DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": str(number)}}


def _matcher(request: web.Request, resource: str, namespace: str) -> Callable[[Place, Object | None], bool]:
    fields = [part.partition("=") for part in request.query.get("fieldSelector", "").split(",")]
    name = next((value for field, _, value in fields if field == "metadata.name"), "")
    label, _, value = request.query.get("labelSelector", "").partition("=")

    def matches(place: Place, item: Object | None) -> bool:
        if item is None or place[0] != resource or namespace not in ("", place[1]) or name not in ("", place[2]):
            return False
        return not label or item["metadata"].get("labels", {}).get(label) == value

    return matches


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


async def _event(response: web.StreamResponse, kind: str, item: Object) -> None:
    line = json.dumps({"type": kind, "object": item}, separators=(",", ":"))
    await response.write(line.encode() + b"\n")


class _Anybody:
    def __init__(self, port: int) -> None:
        self._identity = Identity(f"http://127.0.0.1:{port}")

    async def load(self, *, force: bool) -> Loaded:
        return Loaded(self._identity, 3600.0)


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[Connection]:
    """Serves the world on a free port, and gives a connection to it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", world.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    source = _Anybody(runner.addresses[0][1])
    connection = Connection(source, await source.load(force=False))
    try:
        yield connection
    finally:
        await connection.close()
        await runner.cleanup()
