"""A small API server over TLS that plays a script: what the fault proxy is tried on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import trustme
from aiohttp import web

from tests.support.loop_thread import LoopThread

LINES = [b'{"type":"ADDED","object":{"n":%d}}\n' % number for number in range(3)]


class ScriptedServer:
    """Answers `/api/v1/things` with a list, as a watch with three lines and then those that `say` is told."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca, self.ca_key = folder / "ca.crt", folder / "ca.key"
        authority.cert_pem.write_to_path(self.ca)
        authority.private_key_pem.write_to_path(self.ca_key)
        self._identity = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._identity)
        self.requests: list[tuple[str, str, str, bytes]] = []
        """Method, target, Authorization, body."""
        self.open_watches = 0
        self._said: list[asyncio.Queue[bytes]] = []
        self._thread = LoopThread("scripted-server")

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        self._thread.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._runner.cleanup())
        self._thread.end()

    def say(self, line: bytes) -> None:
        """A line for all open watches."""

        def put() -> None:
            for queue in self._said:
                queue.put_nowait(line)

        self._thread.do(put)

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._identity).start()
        self.address: tuple[str, int] = self._runner.addresses[0][:2]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.raw_path, request.headers.get("Authorization", ""), body))
        if request.query.get("watch") == "true":
            return await self._watch(request)
        if request.method == "POST":
            return web.json_response({"kind": "Thing"}, status=201)
        return web.json_response({"kind": "ThingList", "items": [{"n": 0}]}, headers={"Audit-Id": "1"})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._said.append(queue)
        self.open_watches += 1
        try:
            for line in LINES:
                await response.write(line)
            while True:
                await response.write(await queue.get())
        finally:
            self._said.remove(queue)
            self.open_watches -= 1
