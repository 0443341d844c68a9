"""Load on a gateway while everything about it changes: nothing may be dropped.

`make bench-storm` runs it in full and prints what it saw; a test runs less.
The backends, the load and the changes share one event loop; the gateway is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from tests.support.certificates import Authority, Pair
from tests.support.manifests import Manifest, Rule, ingress, service, write, write_in_place
from tests.support.proc import resident_bytes
from tests.support.process import Process, command_of

HOST = "load.example"
ANSWER = b"x" * 1024
BACKENDS = 4
_PLAIN = {"ssl-redirect": "false"}
_REQUEST = f"GET /some/path HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@dataclass
class Outcome:
    """What a storm did and what it broke."""

    requests: int = 0
    changes: int = 0
    swaps: int = 0
    failures: list[str] = field(default_factory=list)
    websockets_closed: int = 0
    tables_alive: int = 0
    resident_before: int = 0
    resident_after: int = 0

    def broken(self, plan: Plan) -> list[str]:
        """What was promised and not kept; empty when all is well."""
        promises = {
            "requests were made": self.requests > 0,
            "no request fails": not self.failures,
            "no WebSocket closes": self.websockets_closed == 0,
            f"{plan.swaps} tables are swapped": self.swaps >= plan.swaps,
            "at most 3 tables are alive": self.tables_alive <= 3,
            "memory is back to where it was, but for 16 MiB": self.resident_after - self.resident_before < 16 << 20,
        }
        return [promise for promise, kept in promises.items() if not kept]


@dataclass(frozen=True)
class Plan:
    """How long and how hard."""

    seconds: float = 60.0
    swaps: int = 1000
    connections: int = 64
    websockets: int = 50
    every: float = 0.1


async def storm(folder: Path, plan: Plan) -> Outcome:
    """Runs it all. `folder` is empty and becomes the manifests."""
    outcome = Outcome()
    authority = Authority()
    async with _Backends() as backends:
        changes = _Changes(folder, backends, authority)
        changes.start()
        gateway = await asyncio.to_thread(_spawn, folder)
        try:
            sockets = await _open_websockets(gateway, plan.websockets)
            await _load_and_change(gateway, changes, authority, plan, outcome)
            await _only_swap(gateway, changes, sockets, plan, outcome)
            for socket in sockets:
                await socket.close()
        finally:
            await asyncio.to_thread(gateway.close)
    return outcome


def _spawn(folder: Path) -> Process:
    return Process(command_of(folder, workers=2), folder, dict(os.environ))


async def _load_and_change(
    gateway: Process, changes: _Changes, authority: Authority, plan: Plan, outcome: Outcome
) -> None:
    done = asyncio.Event()
    trust = authority.trusting()
    clients = [
        asyncio.create_task(_client(gateway, trust if number % 8 == 0 else None, done, outcome))
        for number in range(plan.connections)
    ]
    end = asyncio.get_running_loop().time() + plan.seconds
    while asyncio.get_running_loop().time() < end:
        changes.next()
        outcome.changes += 3
        await asyncio.sleep(plan.every)
    done.set()
    await asyncio.gather(*clients)


async def _client(gateway: Process, trust: ssl.SSLContext | None, done: asyncio.Event, outcome: Outcome) -> None:
    """One keep-alive connection that asks again and again. Whatever is not the right answer is a failure."""
    address = gateway.https if trust else gateway.http
    name = HOST if trust else None
    while not done.is_set():
        reader, writer = await asyncio.open_connection(*address, ssl=trust, server_hostname=name)
        try:
            while not done.is_set():
                writer.write(_REQUEST)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                body = await asyncio.wait_for(reader.readexactly(len(ANSWER)), 20)
                outcome.requests += 1
                if not head.startswith(b"HTTP/1.1 200 ") or body != ANSWER:
                    outcome.failures.append(head.decode("latin-1"))
                    break
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            outcome.failures.append(repr(error))
        finally:
            writer.close()


async def _only_swap(
    gateway: Process, changes: _Changes, sockets: list[ClientConnection], plan: Plan, outcome: Outcome
) -> None:
    """So many swaps one by one, with the WebSockets still open; then all of them must still answer."""

    async def metric(name: str) -> float:
        return (await asyncio.to_thread(gateway.metrics)).sum(name)

    generation = await metric("fastingress_table_generation")
    first = generation
    outcome.resident_before = resident_bytes(gateway.pid)
    for _ in range(plan.swaps):
        changes.next_route()
        generation = await _passes(generation, lambda: metric("fastingress_table_generation"))
    outcome.swaps = int(generation - first)
    outcome.resident_after = resident_bytes(gateway.pid)
    outcome.tables_alive = int(await metric("fastingress_tables_alive"))
    for number, socket in enumerate(sockets):
        try:
            await socket.send(f"still {number}")
            if await asyncio.wait_for(socket.recv(), 20) != f"still {number}":
                outcome.websockets_closed += 1
        except Exception as error:
            outcome.websockets_closed += 1
            outcome.failures.append(repr(error))


async def _passes(value: float, read: Callable[[], Awaitable[float]]) -> float:
    for _ in range(4000):
        now = await read()
        if now > value:
            return now
        await asyncio.sleep(0.002)
    raise AssertionError(f"no table after {value} within its time")


async def _open_websockets(gateway: Process, count: int) -> list[ClientConnection]:
    host, port = gateway.http
    sockets = []
    for number in range(count):
        socket = await connect(f"ws://{HOST}/ws", host=host, port=port, proxy=None)
        await socket.send(f"first {number}")
        assert await socket.recv() == f"first {number}"
        sockets.append(socket)
    return sockets


class _Backends:
    """HTTP backends that say the same, and one that echoes WebSocket messages."""

    def __init__(self) -> None:
        self.http: list[str] = []
        self.websocket = ""
        self._servers: list[asyncio.Server] = []
        self._stack = ExitStack()

    async def __aenter__(self) -> _Backends:
        for _ in range(BACKENDS):
            server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=1024)
            self._servers.append(server)
            self.http.append(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        self._echo = await serve_websockets(_echo, "127.0.0.1", 0, ping_interval=None)
        self.websocket = f"127.0.0.1:{next(iter(self._echo.sockets)).getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        self._echo.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\n\r\n".encode()
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + ANSWER)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def _echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


class _Changes:
    """The manifests, and a way to change each kind of thing in them."""

    def __init__(self, folder: Path, backends: _Backends, authority: Authority) -> None:
        self._folder = folder
        self._backends = backends
        self._pairs = [authority.issue(HOST) for _ in range(2)]
        self._number = 0

    def start(self) -> None:
        write(self._folder / "ws.yaml", service("ws", self._backends.websocket))
        write(self._folder / "ws-ingress.yaml", ingress("ws", Rule("ws", "/ws", HOST), annotations=_PLAIN))
        write(
            self._folder / "web.yaml", ingress("web", Rule("web", "/", HOST), tls={"web": [HOST]}, annotations=_PLAIN)
        )
        self._write_endpoints()
        self._write_certificate(self._pairs[0])
        self._write_other(in_place=False)

    def next(self) -> None:
        """One change of every kind: endpoints, a certificate, routes; files rewritten in place and moved into place."""
        self._number += 1
        self._write_endpoints()
        self._write_certificate(self._pairs[self._number % 2])
        self._write_other(in_place=self._number % 2 == 0)

    def next_route(self) -> None:
        """A change of routes."""
        self._number += 1
        self._write_other(in_place=False)

    def _write_endpoints(self) -> None:
        listed = self._backends.http
        first = self._number % len(listed)
        write(self._folder / "endpoints.yaml", service("web", listed[first], listed[(first + 1) % len(listed)]))

    def _write_certificate(self, pair: Pair) -> None:
        write_in_place(self._folder / "certificate.yaml", pair.secret("web"))

    def _write_other(self, *, in_place: bool) -> None:
        rules: list[Rule] = [Rule("web", f"/some/path/{self._number}/{path}", HOST) for path in range(3)]
        other: Manifest = ingress("other", *rules, Rule("web", "/", f"host-{self._number % 7}.example"))
        (write_in_place if in_place else write)(self._folder / "other.yaml", other)


def main() -> int:
    """Runs a storm and prints its outcome as JSON; the exit status tells whether anything was dropped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of load and changes (%(default)s)")
    parser.add_argument("--swaps", type=int, default=Plan.swaps, help="swaps after the load (%(default)s)")
    parser.add_argument("--connections", type=int, default=Plan.connections, help="load connections (%(default)s)")
    given = parser.parse_args()
    plan = Plan(seconds=given.seconds, swaps=given.swaps, connections=given.connections)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(storm(Path(folder), plan))
    print(json.dumps(asdict(outcome), indent=2))  # noqa: T201 (a program's output)
    for broken in outcome.broken(plan):
        print(f"broken: {broken}", file=sys.stderr)  # noqa: T201 (a program's output)
    return 1 if outcome.broken(plan) else 0


if __name__ == "__main__":
    sys.exit(main())
