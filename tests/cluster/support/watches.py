"""One open watch through the fault proxy, line by line, and what a test can do to it while it is open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.cluster.support.calls import Call
from tests.cluster.support.faults import error_line


class Watch:
    """An open watch. Its methods are called from the test's thread."""

    def __init__(
        self, run: Callable[[Any], Any], call: Call, request: web.Request, response: web.StreamResponse
    ) -> None:
        self.call = call
        self.lines = 0
        """How many lines it has passed on."""
        self._run = run
        self._request = request
        self._response = response
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut: str | None = None
        self._ended = asyncio.Event()

    # what a test does

    def reset(self) -> None:
        """A RST."""
        self._run(self._reset())

    def finish(self) -> None:
        """Ends it as the API server does when its time is over: whole, with nothing more to say."""
        self._run(self._finish(b""))

    def expire(self) -> None:
        """Says 410 in a line of the stream, and ends it."""
        self._run(self._finish(error_line()))

    def send(self, line: bytes) -> None:
        """Says this line, which the API server has not said. It ends with a newline unless a test wants none."""
        self._run(self._response.write(line))

    def stall(self) -> None:
        """Passes nothing on any more, and stays open."""
        self._run(self._let(False))

    def resume(self) -> None:
        """Passes on again, first what came meanwhile."""
        self._run(self._let(True))

    def cut(self, *, clean: bool = False) -> None:
        """Of the next line half is passed on; then the connection closes, or (clean) the stream ends as if whole."""
        self._cut = "clean" if clean else "short"

    # on the proxy's thread

    async def relay(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Passes on what the API server says until either side or the test ends it."""
        await self._response.prepare(self._request)
        passing = asyncio.ensure_future(self._pass_on(answer))
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({passing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            passing.cancel()
            ending.cancel()
            await asyncio.gather(passing, ending, return_exceptions=True)
        return self._response

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> None:
        async for line in lines_of(answer.content.iter_any()):
            await self._flowing.wait()
            if self._cut is not None:
                await self._cut_in_half(line)
                return
            await self._response.write(line)
            self.lines += 1
        await self._flowing.wait()
        await self._response.write_eof()

    async def _cut_in_half(self, line: bytes) -> None:
        await self._response.write(line[: len(line) // 2])
        if self._cut == "clean":
            await self._response.write_eof()
        elif self._request.transport is not None:
            self._request.transport.close()

    async def _finish(self, line: bytes) -> None:
        if line:
            await self._response.write(line)
        await self._response.write_eof()
        self._ended.set()

    async def _reset(self) -> None:
        abort(self._request.transport)
        self._ended.set()

    async def _let(self, flow: bool) -> None:
        if flow:
            self._flowing.set()
        else:
            self._flowing.clear()


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines, of any length; what follows the last newline comes as it is."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        *whole, rest = bytes(held).split(b"\n")
        held = bytearray(rest)
        for line in whole:
            yield line + b"\n"
    if held:
        yield bytes(held)


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Closes with a RST, and drops what was not sent yet."""
    if isinstance(transport, asyncio.WriteTransport):
        sock = None
        with contextlib.suppress(AttributeError):  # TLS that was closed twice has forgotten what is beneath it
            sock = transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
