"""Long bodies pass whole both ways, in memory that does not grow with them; a stream that stands still stops none."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.backend import Exchange
from tests.support.certificates import Authority
from tests.support.fixtures import Backends, Spawn
from tests.support.frames import INITIAL_WINDOW_SIZE, H2Client, request_fields, window_update
from tests.support.http3 import Http3Client
from tests.support.manifests import Rule, ingress, service, write
from tests.support.proc import resident_bytes
from tests.support.process import Process, command_of
from tests.support.programs import PROGRAMS
from tests.support.tcp import free_port

LOG = logging.getLogger(__name__)
MIB = 1 << 20
HOST = "big.example"
MOST_GROWTH = 24 * MIB
"""For what a connection may hold, and for what an allocator keeps: far below what passes."""
BLOCK = os.urandom(MIB)

WAYS = {
    "HTTP/1.1": ("http", ["--http1.1"]),
    "HTTP/1.1 over TLS": ("https", ["--http1.1"]),
    "HTTP/2": ("http", ["--http2-prior-knowledge"]),
    "HTTP/2 over TLS": ("https", ["--http2"]),
}


class Mill:
    """A backend that gives so many blocks, or hashes what it is given, without keeping any of it."""

    def __init__(self, mib: int) -> None:
        self.mib = mib
        self.taken = ""

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            mib = int(exchange.request.target.strip("/") or self.mib)
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (mib * MIB))
            for _ in range(mib):
                exchange.send(BLOCK)
            return
        self.taken = _hash_of_body(exchange, self.mib * MIB)
        exchange.answer(200, self.taken.encode())


def _hash_of_body(exchange: Exchange, length: int) -> str:
    if (exchange.request.header("expect") or "").lower() == "100-continue":
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    digest = hashlib.sha256()
    reader = exchange.reader
    reader.keeps = False
    if exchange.request.header("transfer-encoding") != "chunked":
        assert exchange.request.header("content-length") == str(length)
        _digest(digest.update, reader.exactly, length)
        return digest.hexdigest()
    while size := int(reader.line(), 16):
        _digest(digest.update, reader.exactly, size)
        assert reader.line() == b""
    assert reader.line() == b""
    return digest.hexdigest()


def _digest(update: Callable[[bytes], object], read: Callable[[int], bytes], left: int) -> None:
    while left:
        part = read(min(left, 1 << 16))
        assert part, "cut short"
        update(part)
        left -= len(part)


@pytest.fixture
def mib(request: pytest.FixtureRequest) -> int:
    size: int = request.config.getoption("--transfer-mib") or 64
    return size


@pytest.fixture
def fewer_mib(request: pytest.FixtureRequest, mill: Mill) -> int:
    """For a client that does 8 MiB a second."""
    mill.mib = request.config.getoption("--transfer-mib") or 8
    return mill.mib


@pytest.fixture
def mill(mib: int) -> Mill:
    return Mill(mib)


@pytest.fixture
def gateway(spawn: Spawn, backends: Backends, mill: Mill, authority: Authority) -> Process:
    web = backends("web", mill)
    options = {"ssl-redirect": "false", "proxy-body-size": "0"}
    return spawn(
        authority.issue(HOST).secret("pair"),
        service("web", web),
        ingress("web", Rule("web", host=HOST), tls={"pair": [HOST]}, annotations=options),
        h2c=True,
        http3=True,
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_long_download_is_whole(curl: None, gateway: Process, mib: int, way: str) -> None:
    with _grows_little(gateway.pid), _curl(gateway, way) as client:
        assert client.stdout is not None
        digest = hashlib.sha256()
        _digest(digest.update, client.stdout.read, mib * MIB)
        assert client.stdout.read() == b""
    assert digest.hexdigest() == _expected(mib)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stated", [True, False], ids=["of known length", "of unknown length"])
def test_a_long_upload_is_whole(curl: None, gateway: Process, mill: Mill, mib: int, way: str, stated: bool) -> None:
    length = f"Content-Length: {mib * MIB}" if stated else "Content-Length:"
    words = ["--upload-file", "-", "--header", length]
    if stated and way.startswith("HTTP/1"):
        words += ["--header", "Transfer-Encoding:"]
    with _grows_little(gateway.pid), _curl(gateway, way, *words) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for _ in range(mib):
            client.stdin.write(BLOCK)
        client.stdin.close()
        said = client.stdout.read().decode()
    assert (said, mill.taken) == (_expected(mib), _expected(mib))


def test_a_long_download_over_http3_is_whole(gateway: Process, fewer_mib: int) -> None:
    digest = hashlib.sha256()
    with _http3(gateway) as client, _grows_little(gateway.pid):
        stream = client.request(host=HOST)
        client.answers[stream].take = digest.update
        answer = client.answer(stream, timeout=_slowly(fewer_mib))
    assert (answer.status, answer.ended, answer.reset) == (200, True, None)
    assert digest.hexdigest() == _expected(fewer_mib)


def test_a_long_upload_over_http3_is_whole(gateway: Process, mill: Mill, fewer_mib: int) -> None:
    with _http3(gateway) as client, _grows_little(gateway.pid):
        length = [("content-length", str(fewer_mib * MIB))]
        stream = client.request(host=HOST, method="POST", headers=length, end=False)
        for sent in range(1, fewer_mib + 1):
            client.send(stream, BLOCK, end=sent == fewer_mib)
            client.until(lambda: client.unsent(stream) < MIB or client.terminated, timeout=_slowly(1))
        answer = client.answer(stream)
    assert (answer.status, answer.text, mill.taken) == (200, _expected(fewer_mib), _expected(fewer_mib))


def _http3(gateway: Process) -> Http3Client:
    """Its windows are large: what slows a transfer down is not that it waits for them."""
    return Http3Client(gateway.https, server_name=HOST, max_data=16 * MIB)


def _slowly(mib: int) -> float:
    """The seconds that are enough for a client in pure Python."""
    return 30 + mib * 2


UNOPENED = {"pass-through": "HTTP/2 over TLS", "TCP": "HTTP/1.1"}


@pytest.fixture
def in_front(gateway: Process, tmp_path: Path, way: str) -> Iterator[tuple[Process, int]]:
    """A second gateway, which opens nothing: the TLS of the first one passes through, a TCP port leads to its other."""
    port = free_port()
    inner, plain = (f"127.0.0.1:{address[1]}" for address in (gateway.https, gateway.http))
    passing = ingress("inner", Rule("inner", host=HOST), annotations={"ssl-passthrough": "true"})
    folder = tmp_path / "front"
    folder.mkdir()
    write(folder / "objects.yaml", service("inner", inner), service("plain", plain), passing)
    command = command_of(folder, enable_ssl_passthrough=True, tcp=f"{port}=default/plain:80")
    with closing(Process(command, folder, dict(os.environ))) as front:
        yield front, front.https[1] if way == "pass-through" else port


@pytest.mark.parametrize("way", UNOPENED)
def test_what_is_not_opened_passes_whole_both_ways(
    curl: None, in_front: tuple[Process, int], mill: Mill, mib: int, way: str
) -> None:
    front, port = in_front
    with _grows_little(front.pid), _curl_at(port, UNOPENED[way]) as client:
        assert client.stdout is not None
        digest = hashlib.sha256()
        _digest(digest.update, client.stdout.read, mib * MIB)
        assert client.stdout.read() == b""
    assert digest.hexdigest() == _expected(mib)
    words = ["--upload-file", "-", "--header", f"Content-Length: {mib * MIB}", "--header", "Transfer-Encoding:"]
    with _grows_little(front.pid), _curl_at(port, UNOPENED[way], *words) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for _ in range(mib):
            client.stdin.write(BLOCK)
        client.stdin.close()
        said = client.stdout.read().decode()
    assert (said, mill.taken) == (_expected(mib), _expected(mib))


def test_a_tcp_service_moves_both_ways_at_once(spawn: Spawn, mib: int) -> None:
    port = free_port()
    with _echo() as endpoint:
        gateway = spawn(service("echo", endpoint), tcp=f"{port}=default/echo:80")
        with socket.create_connection(("127.0.0.1", port), 60) as sock, _grows_little(gateway.pid):
            sender = threading.Thread(target=_send_blocks, args=(sock, mib), daemon=True)
            sender.start()
            digest = hashlib.sha256()
            _digest(digest.update, sock.recv, mib * MIB)
            assert sock.recv(1) == b""
            sender.join(10)
    assert digest.hexdigest() == _expected(mib)


@contextmanager
def _echo() -> Iterator[str]:
    """The endpoint of a server that gives one connection back what it sends, to its end."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            while data := sock.recv(1 << 16):
                sock.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def _send_blocks(sock: socket.socket, mib: int) -> None:
    for _ in range(mib):
        sock.sendall(BLOCK)
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("over_tls", [False, True], ids=["h2c", "tls"])
def test_a_stream_that_stands_still_stops_no_other(gateway: Process, authority: Authority, over_tls: bool) -> None:
    size = 64 * 1024
    with _grows_little(gateway.pid), _client(gateway, authority, over_tls, size) as client:
        fields = request_fields(b"/8", authority=HOST.encode())
        still, *moving = [client.start(fields) for _ in range(11)]
        _take_all(client, set(moving), 8 * MIB)
        stood = client.answers[still]
        assert len(stood.body) == size, "it gets its window full, and no more"
        assert not stood.over
        for stream in moving:
            assert client.answers[stream].status == 200
        client.send(window_update(still, 8 * MIB))
        answer = client.answer(still)
    assert len(answer.body) == 8 * MIB


def test_an_upload_that_nobody_takes_stops_no_download(spawn: Spawn, backends: Backends, authority: Authority) -> None:
    reads = threading.Event()

    def stubborn(exchange: Exchange) -> None:
        """Reads no byte of an upload before it is told to."""
        if exchange.request.method == "POST":
            assert reads.wait(60)
            exchange.answer(200, str(len(exchange.read_body())).encode())
        else:
            exchange.answer(200, BLOCK)

    web = backends("web", stubborn)
    plain = {"ssl-redirect": "false", "proxy-body-size": "0"}
    gateway = spawn(service("web", web), ingress("web", Rule("web"), annotations=plain), h2c=True)
    with H2Client(gateway.http) as client:
        client.until_settled()
        upload = client.start(request_fields(method=b"POST"), end=False)
        client.send_body(upload, [bytes(client.peer_settings.get(INITIAL_WINDOW_SIZE, 65535))], end=False)
        for _ in range(10):
            answer = client.answer(client.start(request_fields()))
            assert (answer.status, len(answer.body)) == (200, MIB)
        reads.set()
        client.send_body(upload, [BLOCK] * 8)
        assert int(client.answer(upload).body) == 8 * MIB + client.peer_settings.get(INITIAL_WINDOW_SIZE, 65535)


def _client(gateway: Process, authority: Authority, over_tls: bool, window: int) -> H2Client:
    first = [(INITIAL_WINDOW_SIZE, window)]
    if not over_tls:
        return H2Client(gateway.http, first=first, timeout=60)
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    trust.set_alpn_protocols(["h2"])
    return H2Client(gateway.https, tls=trust, server_name=HOST, first=first, timeout=60)


def _take_all(client: H2Client, streams: set[int], size: int) -> None:
    """Opens the windows of these streams as their bytes come, until each has had its size and its end."""
    opened = dict.fromkeys(streams, 0)
    while not all(client.answers.get(stream) and client.answers[stream].over for stream in streams):
        assert client.read(), client.goaway
        for stream in streams:
            answer = client.answers.get(stream)
            fresh = len(answer.body) - opened[stream] if answer else 0
            if fresh >= 1 << 15 and answer and not answer.over:
                client.send(window_update(stream, fresh))
                opened[stream] += fresh
    for stream in streams:
        answer = client.answers[stream]
        assert answer.ended, answer.reset
        assert len(answer.body) == size


@contextmanager
def _curl(gateway: Process, way: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    port = (gateway.https if WAYS[way][0] == "https" else gateway.http)[1]
    with _curl_at(port, way, *words) as child:
        yield child


@contextmanager
def _curl_at(port: int, way: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Running, with its pipes; it has to end well."""
    scheme, version = WAYS[way]
    common = ["--silent", "--show-error", "--fail", "--noproxy", "*", "--insecure"]
    command = [str(PROGRAMS["curl"].found), *common, "--resolve", f"{HOST}:{port}:127.0.0.1", *version, *words]
    command.append(f"{scheme}://{HOST}:{port}/")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stderr is not None
        try:
            yield child
            assert child.wait(60) == 0, child.stderr.read()
        finally:
            child.kill()


@contextmanager
def _grows_little(pid: int, most: int = MOST_GROWTH) -> Iterator[None]:
    """The resident memory at its highest stays near where it was."""
    first = resident_bytes(pid)
    peak = [first]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            peak[0] = max(peak[0], resident_bytes(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(10)
    LOG.info("resident memory grew by %.1f MiB to %.1f MiB", (peak[0] - first) / MIB, peak[0] / MIB)
    assert peak[0] - first < most, f"grew by {(peak[0] - first) / MIB:.0f} MiB"


def _expected(mib: int) -> str:
    digest = hashlib.sha256()
    for _ in range(mib):
        digest.update(BLOCK)
    return digest.hexdigest()
