"""A proxy between a controller and the API server: passes all on, records it, and spoils what a test tells it to.

It ends TLS with a certificate of the control plane's own CA, and speaks to the API server with the caller's token: only
clients with tokens can use it. It knows the lines of a watch. It runs on a thread of its own; all methods can be called
from a test, take effect before they return, and befall requests and watches that are already open where that is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.cluster.support import faults
from tests.cluster.support.calls import Call, Match
from tests.cluster.support.faults import Action
from tests.cluster.support.leaf import sign_leaf
from tests.cluster.support.watches import Watch, abort
from tests.support.client import Address
from tests.support.loop_thread import LoopThread

_BODY_LIMIT = 64 << 20
_HANDSHAKE = 0.1
_NOT_PASSED_ON = frozenset(
    {
        "connection",
        "keep-alive",
        "transfer-encoding",
        "content-length",
        "content-encoding",
        "accept-encoding",
        "upgrade",
    }
)


class Fault:
    """A fault at work, until `end`, the end of its `with`, or as many calls as it was made for."""

    def __init__(self, proxy: FaultProxy, match: Match, action: Action, times: int | None) -> None:
        self.match = match
        self.action = action
        self.times = times
        self.hits: list[Call] = []
        """The calls that it befell."""
        self._proxy = proxy

    def end(self) -> None:
        """Calls are answered well again."""
        self._proxy.forget(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class FaultProxy:
    """Listens on a free port of 127.0.0.1 from `__enter__` to `__exit__`."""

    def __init__(self, upstream: Address, *, ca: Path, ca_key: Path) -> None:
        self.address: Address = ("127.0.0.1", 0)
        self._base = URL(f"https://{upstream[0]}:{upstream[1]}")
        self._trust = ssl.create_default_context(cafile=ca)
        self._identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show_certificate_of(ca, ca_key)
        self._calls: list[Call] = []
        self._faults: list[Fault] = []
        self._watches: list[Watch] = []
        self._thread = LoopThread("fault-proxy")

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        try:
            self._thread.run(self._open())
        except BaseException:
            self._thread.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.run(self._close())
        finally:
            self._thread.end()

    # what came

    def calls(self, **match: Any) -> list[Call]:
        """The requests so far, in their order. Which ones: see `Match`."""
        wanted = Match(**match)
        return [call for call in list(self._calls) if wanted.takes(call)]

    def count(self, **match: Any) -> int:
        """How many there were: `count(is_list=True)` counts lists and relists, `count(status=403)` denied calls."""
        return len(self.calls(**match))

    def forget_calls(self) -> None:
        """Counts from nothing again."""
        self._thread.do(self._calls.clear)

    def watches(self, **match: Any) -> list[Watch]:
        """The watches that are open now: what can be done to them is said at `Watch`."""
        wanted = Match(**match)
        return [watch for watch in list(self._watches) if wanted.takes(watch.call)]

    # what is done to it

    def fault(self, action: Action, *, times: int | None = None, **match: Any) -> Fault:
        """New requests that match suffer this; `times` says how many of them. The latest fault that matches counts."""
        made = Fault(self, Match(**match), action, times)
        self._thread.do(lambda: self._faults.insert(0, made))
        return made

    def forget(self, fault: Fault) -> None:
        """Ends a fault."""

        def without() -> None:
            self._faults = [each for each in self._faults if each is not fault]

        self._thread.do(without)

    def show_certificate_of(self, ca: Path, ca_key: Path) -> None:
        """New connections are shown a certificate of this CA; open ones stay as they are."""
        with TemporaryDirectory() as folder:
            self._identity.load_cert_chain(sign_leaf(Path(folder), ca, ca_key))

    def break_connections(self) -> None:
        """A RST on every open connection, whatever is under way on it."""
        self._thread.do(self._abort_all)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are refused, and open ones reset: an API server that has died."""
        self._thread.run(self._stop_listening())
        try:
            yield
        finally:
            self._thread.run(self._listen())

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing is answered and no watch says anything, and nothing is closed: a network that swallows all. What was
        asked meanwhile is never answered; open watches stay silent afterwards."""
        with self.fault(faults.Stall()):
            for watch in self.watches():
                watch.stall()
            yield

    # listening

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._client = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=1 << 20
        )
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, keepalive_timeout=3600
        )
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, *self.address, ssl_context=self._identity)
        await self._site.start()
        self.address = self._runner.addresses[0][:2]

    async def _stop_listening(self) -> None:
        await self._site.stop()
        self._abort_all()

    async def _close(self) -> None:
        with contextlib.suppress(RuntimeError):  # it does not listen now
            await self._site.stop()
        self._abort_all()
        await asyncio.sleep(_HANDSHAKE)  # those under way are no connections yet
        self._abort_all()
        await self._runner.cleanup()
        await self._client.close()

    def _abort_all(self) -> None:
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            abort(connection.transport)

    # one request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        call = Call(request.method, request.path, dict(request.query), time.monotonic(), agent)
        self._calls.append(call)
        action = self._action_for(call)
        if action is not None:
            call.fault = type(action).__name__
        try:
            return await self._obey(request, call, action)
        except (aiohttp.ClientError, ConnectionError):  # either side has gone: so must the other
            abort(request.transport)
            return web.Response()

    def _action_for(self, call: Call) -> Action | None:
        for fault in self._faults:
            if fault.match.takes(call):
                fault.hits.append(call)
                if fault.times is not None and len(fault.hits) >= fault.times:
                    self._faults.remove(fault)
                return fault.action
        return None

    async def _obey(self, request: web.Request, call: Call, action: Action | None) -> web.StreamResponse:
        match action:
            case faults.Reset():
                abort(request.transport)
                return web.Response()
            case faults.Stall():
                await asyncio.Event().wait()
            case faults.Delay(seconds):
                await asyncio.sleep(seconds)
            case faults.Answer(status, body, headers):
                call.status = status
                return web.Response(status=status, body=body, headers=headers)
            case faults.Garbage(data):
                assert request.transport is not None
                request.transport.write(data)
                request.transport.close()
                return web.Response()
        return await self._pass_on(request, call, action)

    async def _pass_on(self, request: web.Request, call: Call, action: Action | None) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        headers["Accept-Encoding"] = "identity"
        url = self._base.join(URL(request.raw_path, encoded=True))
        body = await request.read() if request.can_read_body else None
        async with self._client.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            call.status = answer.status
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_ON}
            if isinstance(action, faults.NullItems):
                return web.Response(status=answer.status, headers=passed, body=without_items(await answer.read()))
            response = web.StreamResponse(status=answer.status, headers=passed)
            if call.verb == "watch" and answer.status == 200:
                watch = Watch(self._thread.run, call, request, response)
                self._watches.append(watch)
                try:
                    return await watch.relay(answer)
                finally:
                    self._watches.remove(watch)
            await response.prepare(request)
            await _relay(request, answer.content.iter_any(), response, action)
            return response


async def _relay(
    request: web.Request, chunks: AsyncIterator[bytes], response: web.StreamResponse, action: Action | None
) -> None:
    """The body as it comes, or its beginning."""
    left = action.after if isinstance(action, faults.CutBody) else None
    async for chunk in chunks:
        await response.write(chunk[:left])
        if left is not None:
            left -= min(left, len(chunk))
            if left == 0:
                break
    if isinstance(action, faults.CutBody) and not action.clean:
        assert request.transport is not None
        request.transport.close()
    else:
        await response.write_eof()


def without_items(body: bytes) -> bytes:
    """The list with null in place of its items."""
    found = json.loads(body)
    if "items" in found:
        found["items"] = None
    return json.dumps(found).encode()
