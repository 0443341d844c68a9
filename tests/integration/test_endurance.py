"""Many streams that end badly, and long ones that go slowly: nothing stays behind and memory does not follow.

`FASTINGRESS_ABORTS` (streams) and `FASTINGRESS_STREAM_MIB` (size of a slow stream) make the tests as long as wanted.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable

from tests.support.backend import Exchange
from tests.support.client import RawClient
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.proc import descriptors, resident_bytes
from tests.support.process import Process

ABORTS = int(os.environ.get("FASTINGRESS_ABORTS", "1000"))
MIB = 1 << 20
STREAM = int(os.environ.get("FASTINGRESS_STREAM_MIB", "64")) * MIB
BLOCK = bytes(256 * 1024)
UNLIMITED = {"proxy-body-size": "0"}


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test.example", *lines, "", ""]).encode()


def answer_by_path(exchange: Exchange) -> None:
    """An endless stream, an endless event stream, an upload that is read to its end, or nothing at all."""
    target = exchange.request.target
    if target == "/never":
        exchange.wait_for_close()
    elif target == "/upload":
        exchange.read_body()
        exchange.answer(200, b"all of it")
    else:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        size = 20 if target == "/events" else 64 * 1024
        while True:
            exchange.send(f"{size:x}\r\n".encode() + bytes(size) + b"\r\n")


def reset(client: RawClient) -> None:
    """Closes with a reset and not with an orderly end."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def in_its_head(client: RawClient) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: te")


def in_its_upload(client: RawClient) -> None:
    client.send(head("/upload", "Content-Length: 1000000", method="POST") + bytes(30_000))


def in_its_chunks(client: RawClient) -> None:
    client.send(head("/upload", "Transfer-Encoding: chunked", method="POST") + b"ff\r\nabc")


def in_its_download(client: RawClient) -> None:
    client.send(head("/endless")).reader.some()


def in_its_events(client: RawClient) -> None:
    client.send(head("/events")).reader.some()


def waiting(client: RawClient) -> None:
    client.send(head("/never"))


WAYS: tuple[Callable[[RawClient], None], ...] = (
    in_its_head,
    in_its_upload,
    in_its_chunks,
    in_its_download,
    in_its_events,
    waiting,
)


def test_aborted_streams_leave_nothing_behind(spawn: Spawn, backends: Backends) -> None:
    backend = backends("web", answer_by_path)
    process = spawn(service("web", backend), ingress("web", Rule("web"), annotations=UNLIMITED), workers=1)
    process.metrics()
    before = descriptors(process.pid)
    for number in range(ABORTS):
        client = process.connect()
        WAYS[number % len(WAYS)](client)
        (reset if number % 2 else RawClient.close)(client)
    eventually(lambda: process.metrics().sum("fastingress_connections_open") == 0, what="no client connections")
    eventually(lambda: process.metrics().sum("fastingress_upstream_connections") == 0, what="no backend connections")
    assert process.metrics().sum("fastingress_buffered_bytes") == 0
    eventually(lambda: descriptors(process.pid) <= before, what="descriptors back to where they were")
    eventually(lambda: backend.open_connections == 0)
    assert process.metrics().sum("fastingress_panics_total") == 0


def grows_little(process: Process, before: int) -> bool:
    """By far less than the stream. A few MiB come and go with the allocator and the metrics page."""
    return resident_bytes(process.pid) - before < STREAM // 4


def test_a_slow_reader_of_a_long_answer_costs_no_memory(spawn: Spawn, backends: Backends) -> None:
    def long(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {STREAM}\r\n\r\n".encode())
        for _ in range(STREAM // len(BLOCK)):
            exchange.send(BLOCK)

    process = spawn(service("web", backends("web", long)), ingress("web", Rule("web")), workers=1)
    process.metrics()
    before = resident_bytes(process.pid)
    with process.connect() as client:
        client.send(head("/"))
        assert client.reader.head() is not None
        # Nobody reads: what was sent fills the sockets' buffers and then waits at the backend.
        eventually(lambda: process.metrics().sum("fastingress_buffered_bytes") > 0, what="bytes that wait")
        assert grows_little(process, before)
        for _ in range(STREAM // len(BLOCK)):
            client.reader.exactly(len(BLOCK))
    assert grows_little(process, before)


def test_a_slow_backend_of_a_long_upload_costs_no_memory(spawn: Spawn, backends: Backends) -> None:
    go_on = threading.Event()

    def slow(exchange: Exchange) -> None:
        assert go_on.wait(60)
        assert len(exchange.read_body()) == STREAM
        exchange.answer(200, b"all of it")

    rule = ingress("web", Rule("web"), annotations=UNLIMITED)
    process = spawn(service("web", backends("web", slow)), rule, workers=1)
    process.metrics()
    before = resident_bytes(process.pid)
    with process.connect() as client:
        sending = threading.Thread(target=_upload, args=(client,))
        sending.start()
        eventually(lambda: process.metrics().sum("fastingress_buffered_bytes") > 0, what="bytes that wait")
        assert grows_little(process, before)
        go_on.set()
        sending.join(120)
        assert client.response("POST").text == "all of it"
    assert grows_little(process, before)


def _upload(client: RawClient) -> None:
    client.send(head("/", f"Content-Length: {STREAM}", method="POST"))
    for _ in range(STREAM // len(BLOCK)):
        client.send(BLOCK)
