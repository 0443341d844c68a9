"""A backend that records every byte and answers what a test tells it to. Raw sockets, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from tests.support.http1 import Closed, Reader, Request, read_body, read_request

Headers = Iterable[tuple[str, str]]


class Exchange:
    """One request at the backend and the means to answer it, well or badly."""

    def __init__(self, backend: Backend, sock: socket.socket, reader: Reader, request: Request) -> None:
        self.backend = backend
        self.request = request
        self.reader = reader
        self.open = True
        self._sock = sock

    def read_body(self) -> bytes:
        """Reads the request body; says 100 Continue first when that was asked for."""
        if (self.request.header("expect") or "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        read_body(self.reader, self.request)
        return self.request.body

    def send(self, data: bytes) -> None:
        """Exactly these bytes."""
        self._sock.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"", headers: Headers = ()) -> None:
        """A whole response with a Content-Length."""
        self.send(response(status, body, headers))

    def close(self) -> None:
        """A FIN."""
        self.open = False
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """A RST."""
        self.open = False
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def wait_for_close(self) -> bytes:
        """Reads until the other side closes; what came meanwhile."""
        with contextlib.suppress(OSError):
            return self.reader.rest()
        return b""


Handler = Callable[[Exchange], None]


def response(status: int = 200, body: bytes = b"", headers: Headers = ()) -> bytes:
    """The bytes of a response with a Content-Length."""
    lines = [
        f"HTTP/1.1 {status} Test",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def say_name(exchange: Exchange) -> None:
    """Reads the request and answers 200 with the backend's name."""
    exchange.read_body()
    exchange.answer(200, exchange.backend.name.encode(), [("Content-Type", "text/plain")])


class Backend:
    """Listens on a free port of 127.0.0.1 from its making to `close`.

    `requests` has every request in the order of arrival, `received` every byte of every connection.
    """

    def __init__(self, name: str = "backend", handler: Handler = say_name, *, port: int = 0) -> None:
        self.name = name
        self.handler = handler
        self.requests: list[Request] = []
        self.connections: list[Reader] = []
        self.errors: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._lock = threading.Lock()
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{self.address[0]}:{self.address[1]}"

    @property
    def received(self) -> bytes:
        """Every byte that came, connection after connection."""
        with self._lock:
            return b"".join(bytes(reader.received) for reader in self.connections)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._open)

    @property
    def last(self) -> Request:
        """The request that came last."""
        return self.requests[-1]

    def targets(self) -> list[str]:
        """The request targets in the order of arrival."""
        return [request.target for request in self.requests]

    def refuse(self) -> None:
        """Stops listening: connecting is refused from now on. Open connections go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Closes every open connection."""
        with self._lock:
            for sock in self._open.values():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stops listening, closes every connection and joins the threads."""
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _spawn(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=f"backend {self.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = Reader(sock)
            with self._lock:
                self._open[id(sock)] = sock
                self.connections.append(reader)
            self._spawn(lambda sock=sock, reader=reader: self._serve(sock, reader))  # type: ignore[misc]

    def _serve(self, sock: socket.socket, reader: Reader) -> None:
        try:
            self._converse(sock, reader)
        except (OSError, Closed):
            pass  # the gateway hung up; what it sent is in the record
        except Exception as error:
            self.errors.append(error)
        finally:
            with self._lock:
                self._open.pop(id(sock), None)
            sock.close()

    def _converse(self, sock: socket.socket, reader: Reader) -> None:
        while request := read_request(reader):
            with self._lock:
                self.requests.append(request)
            exchange = Exchange(self, sock, reader, request)
            self.handler(exchange)
            if not exchange.open:
                return
