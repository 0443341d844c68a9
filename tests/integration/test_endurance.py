"""Much of everything: large bodies past slow sides in little memory, and aborts that leave nothing behind.

`FASTINGRESS_TEST_MIB=1024 FASTINGRESS_TEST_ABORTS=10000` runs it in full.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from tests.support import proc
from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.process import Process
from tests.support.stuck import stuck_endpoint

MIB = 1 << 20
SIZE = int(os.environ.get("FASTINGRESS_TEST_MIB", "64")) * MIB
ABORTS = int(os.environ.get("FASTINGRESS_TEST_ABORTS", "1000"))
AT_ONCE = 50
FLAT = 12 * MIB
"""How much resident memory may grow by: far less than a body, room for what a worker keeps warm."""
BLOCK = b"x" * MIB
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
NO_LIMIT = {"proxy-body-size": "0"}


def frames(chunked: bool) -> tuple[bytes, bytes, bytes]:
    """The framing line, one block, and the end of a body of `SIZE` bytes."""
    if chunked:
        return CHUNKED, b"%x\r\n" % MIB + BLOCK + b"\r\n", b"0\r\n\r\n"
    return b"Content-Length: %d\r\n\r\n" % SIZE, BLOCK, b""


class Sender:
    """Sends a body on a thread of its own and counts what left."""

    def __init__(self, send: Callable[[bytes], None], chunked: bool) -> None:
        self.sent = 0
        self._send = send
        self._framing = frames(chunked)

    def run(self) -> None:
        _, block, end = self._framing
        for _ in range(SIZE // MIB):
            self._send(block)
            self.sent += MIB
        self._send(end)

    def stands(self) -> bool:
        """True once nothing has left for some looks."""
        seen = -1
        looks = 0

        def unmoved() -> bool:
            nonlocal seen, looks
            looks = looks + 1 if self.sent == seen else 0
            seen = self.sent
            return looks >= 5

        return eventually(unmoved)


def read_away(sock: socket.socket, least: int, look: Callable[[], None]) -> None:
    """Reads at least so many bytes and forgets them."""
    looked = read = 0
    while read < least:
        got = len(sock.recv(65536))
        assert got, f"the other side closed after {read} of {least} bytes"
        read += got
        if read - looked >= MIB:
            looked = read
            look()


def gateway_for(spawn: Spawn, backends: Backends, handler: Callable[[Exchange], None]) -> Process:
    process = spawn(
        service("web", backends("web", handler)), ingress("web", Rule("web"), annotations=NO_LIMIT), workers=1
    )
    assert process.metrics().sum("fastingress_buffered_bytes") == 0
    return process


class Memory:
    """The most resident memory above that at the start."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = proc.resident_bytes(pid)
        self.most = 0

    def look(self) -> None:
        self.most = max(self.most, proc.resident_bytes(self._pid) - self._start)


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
def test_a_slow_reader_costs_little_memory(spawn: Spawn, backends: Backends, chunked: bool) -> None:
    senders: list[Sender] = []

    def pour(exchange: Exchange) -> None:
        senders.append(Sender(exchange.send, chunked))
        exchange.send(b"HTTP/1.1 200 OK\r\n" + frames(chunked)[0])
        senders[0].run()

    process = gateway_for(spawn, backends, pour)
    memory = Memory(process.pid)
    with RawClient(process.http, receive_buffer=65536) as client:
        client.send(request_bytes())
        assert b"200 OK" in (client.reader.head() or b"")
        assert senders[0].stands()
        assert senders[0].sent < SIZE
        memory.look()
        read_away(client.sock, SIZE - MIB, memory.look)
    assert memory.most < FLAT
    process.until(lambda: process.metrics().sum("fastingress_buffered_bytes") == 0)


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
def test_a_slow_backend_costs_little_memory(spawn: Spawn, backends: Backends, chunked: bool) -> None:
    go_on = threading.Event()

    def read_late(exchange: Exchange) -> None:
        assert go_on.wait(20)
        # The head's reader may have taken in some of it.
        read_away(exchange.reader.sock, SIZE - MIB, memory.look)
        exchange.answer(200, b"all")
        exchange.wait_for_close()
        exchange.close()

    process = gateway_for(spawn, backends, read_late)
    memory = Memory(process.pid)
    with process.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test.example\r\n" + frames(chunked)[0])
        sender = Sender(client.sock.sendall, chunked)
        thread = threading.Thread(target=sender.run, daemon=True)
        thread.start()
        assert sender.stands()
        assert sender.sent < SIZE
        memory.look()
        go_on.set()
        assert client.response("POST").text == "all"
    assert memory.most < FLAT
    process.until(lambda: process.metrics().sum("fastingress_buffered_bytes") == 0)


def endless(exchange: Exchange) -> None:
    """`/up` reads as long as something comes, `/down` sends as long as somebody reads, `/events` says one thing."""
    if exchange.request.target == "/up":
        while exchange.reader.sock.recv(65536):
            pass
        exchange.close()
        return
    exchange.send(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"5\r\nhello\r\n")
    while exchange.request.target == "/down":
        exchange.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    exchange.wait_for_close()
    exchange.close()


def begin(client: RawClient, kind: int) -> None:
    """Brings a connection to the point where it is aborted."""
    if kind == 0:
        client.send(b"GET / HTTP/1.1\r\nHost: te")
    elif kind == 1:
        client.send(b"POST /up HTTP/1.1\r\nHost: test.example\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 70_000)
    elif kind == 4:
        client.send(request_bytes("POST", target="/stuck", body=b"x"))
    else:
        client.send(request_bytes(target="/down" if kind == 2 else "/events"))
        assert client.reader.head()


def abort(client: RawClient, hard: bool) -> None:
    if hard:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_aborted_streams_leave_nothing_behind(spawn: Spawn, backends: Backends) -> None:
    backend = backends("web", endless)
    with stuck_endpoint() as stuck:
        process = spawn(
            service("web", backend),
            service("stuck", stuck),
            ingress("web", Rule("web"), Rule("stuck", "/stuck"), annotations={"proxy-connect-timeout": "3600"}),
            workers=2,
        )
        process.metrics()
        sockets = proc.sockets(process.pid)
        for first in range(0, ABORTS, AT_ONCE):
            clients = [RawClient(process.http) for _ in range(AT_ONCE)]
            for number, client in enumerate(clients, first):
                begin(client, number % 5)
            for number, client in enumerate(clients, first):
                abort(client, hard=number % 2 == 0)

        def left() -> dict[str, float]:
            metrics = process.metrics()
            names = ("connections_open", "upstream_connections", "buffered_bytes")
            return {name: metrics.sum(f"fastingress_{name}") for name in names}

        process.until(lambda: set(left().values()) == {0.0})
        process.until(lambda: proc.sockets(process.pid) <= sockets)
    process.until(lambda: backend.open_connections == 0)
    assert process.metrics().sum("fastingress_panics_total") == 0
