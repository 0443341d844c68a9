"""A scripted API server that says what was recorded, as fast as it is told to.

A process of its own, so that it takes nothing from the bench: `python -m benches.cluster.replay FOLDER CERTIFICATE`.
It grants every permission, answers streaming lists from the recording, and sends the events to the watches of their
kind, resumed ones included. It says its port, then waits for a rate on standard input, and says when it has sent the
last event.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import time
from bisect import bisect_right
from pathlib import Path
from types import TracebackType

from aiohttp import web

from benches.cluster.recording import LISTED, MOVING, Recording, path_of, version_of
from tests.cluster.support.leaf import sign_leaf

_TICK = 0.002


class Replay:
    """Starts the process."""

    def __init__(self, recording: Recording, ca: Path, ca_key: Path, folder: Path) -> None:
        certificate = sign_leaf(folder, ca, ca_key)
        command = [sys.executable, "-m", "benches.cluster.replay", str(recording.folder), str(certificate)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = ("127.0.0.1", int(self._line()))

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._child.kill()
        self._child.wait()

    def play(self, rate: float) -> float:
        """Sends all events, so many a second; when the last was sent."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{rate}\n")
        self._child.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()


class _Server:
    def __init__(self, recording: Recording) -> None:
        self._lists = {path_of(kind): recording.list_of(kind) for kind in LISTED}
        self._moving = path_of(MOVING)
        self._events = recording.events()
        self._versions = [version_of(event) for event in self._events]
        self._sent = 0
        """How many of the events are there."""
        self._more = asyncio.Condition()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/version", self._version)
        app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self._allow)
        for path in self._lists:
            app.router.add_get(path, self._watch)
        return app

    async def play(self, rate: float) -> float:
        began = time.perf_counter()
        while self._sent < len(self._events):
            await asyncio.sleep(_TICK)
            async with self._more:
                self._sent = min(int((time.perf_counter() - began) * rate), len(self._events))
                self._more.notify_all()
        return time.perf_counter()

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})

    async def _allow(self, request: web.Request) -> web.Response:
        return web.json_response({**await request.json(), "status": {"allowed": True}}, status=201)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        at = 0
        if "sendInitialEvents" in request.query:
            await response.write(self._lists[request.path])
        else:
            at = bisect_right(self._versions, int(request.query.get("resourceVersion", "0")))
        events = self._follow(response, at) if request.path == self._moving else asyncio.Event().wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(events, float(request.query.get("timeoutSeconds", "60")))
        return response

    async def _follow(self, response: web.StreamResponse, at: int) -> None:
        while True:
            async with self._more:
                while self._sent <= at:
                    await self._more.wait()
                upto = self._sent
            await response.write(b"".join(self._events[at:upto]))
            at = upto


async def _main(folder: Path, certificate: Path) -> None:
    server = _Server(Recording(folder))
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print(runner.addresses[0][1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(repr(await server.play(float(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2])))
