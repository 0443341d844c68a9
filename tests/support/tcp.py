"""A TCP server for tests of streams: runs a handler for each connection, and knows what it received."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from itertools import cycle
from random import sample
from types import TracebackType

TIMEOUT = 20.0


class Peer:
    """One connection at the server."""

    def __init__(self, server: TcpServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.received = b""

    def read(self, count: int) -> bytes:
        """Exactly so many bytes, fewer at the end."""
        found = b""
        while len(found) < count:
            data = self.sock.recv(count - len(found))
            if not data:
                break
            found += data
        self.received += found
        return found

    def rest(self) -> bytes:
        """Everything until the other side has sent its last."""
        found = b""
        while data := self.sock.recv(65536):
            found += data
        self.received += found
        return found

    def send(self, data: bytes) -> None:
        """Exactly these bytes."""
        self.sock.sendall(data)


Handler = Callable[[Peer], None]


def echo(peer: Peer) -> None:
    """Sends back what comes, until the other side has sent its last."""
    while data := peer.sock.recv(65536):
        peer.received += data
        peer.sock.sendall(data)


def say_name(peer: Peer) -> None:
    """Sends the name of the server, then what comes."""
    peer.send(peer.server.name.encode() + b"\n")
    echo(peer)


class TcpServer:
    """Listens from its making to `close`: on a free port of 127.0.0.1, unless it is to be elsewhere."""

    def __init__(
        self, handler: Handler = echo, *, name: str = "server", at: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self.name = name
        self.handler = handler
        self.peers: list[Peer] = []
        self.errors: list[Exception] = []
        self._listener = socket.create_server(at, backlog=256)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{self.address[0]}:{self.address[1]}"

    def refuse(self) -> None:
        """Stops listening; open connections go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        """Ends everything and joins the threads."""
        self.refuse()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> TcpServer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _spawn(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"server {self.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT)
            peer = Peer(self, sock)
            self.peers.append(peer)
            self._spawn(lambda peer=peer: self._serve(peer))  # type: ignore[misc]

    def _serve(self, peer: Peer) -> None:
        try:
            self.handler(peer)
        except OSError:
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            with contextlib.suppress(OSError):
                peer.sock.close()


def read_line(sock: socket.socket) -> bytes:
    """Bytes up to a line feed, without it."""
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(1)
        if not data:
            raise AssertionError(f"the connection ended after {line!r}")
        line += data
    return line[:-1]


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side has sent its last."""
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


_ports = cycle(sample(range(20_000, 32_768), 32_768 - 20_000))
"""Below those of Linux for any use. In no order: other processes look for theirs, too."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has at the moment, and none that was given before, of thousands.

    The kernel gives none of these to who asks for any, nor to a connection: whoever is told of one may take its time.
    """
    for port in _ports:
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there are always more ports")
