"""A backend that speaks HTTP/2 without TLS and can refuse streams unseen. On the sans-I/O package `h2`.

Every stream is recorded, and answered with the backend's name unless a test says that it is refused.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import h2.config
import h2.connection
import h2.errors
import h2.events


@dataclass
class Stream:
    """A request as far as it came."""

    connection: int
    """How many connections were there before this one."""
    headers: dict[str, str]
    body: bytes = b""
    reset: int | None = None
    """The code with which the backend gave it up."""


Judge = Callable[[Stream], "int | None"]
"""Gives the code to reset a stream with, at its head; None to take it."""


class Http2Backend:
    """Listens on a free port of 127.0.0.1 from its making to `close`."""

    def __init__(self, name: str, judge: Judge = lambda _: None) -> None:
        self.name = name
        self.streams: list[Stream] = []
        self.connections = 0
        self._judge = judge
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def served(self) -> list[Stream]:
        """The streams that were not given up."""
        return [stream for stream in self.streams if stream.reset is None]

    @property
    def refused(self) -> list[Stream]:
        """The streams that were."""
        return [stream for stream in self.streams if stream.reset is not None]

    def close(self) -> None:
        """Stops listening, closes every connection and joins the threads."""
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> Http2Backend:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            conversation = _Conversation(self, sock, self.connections)
            self.connections += 1
            thread = threading.Thread(target=conversation.run, daemon=True)
            self._threads.append(thread)
            thread.start()

    def judge(self, stream: Stream) -> None:
        """Records a stream whose head has come."""
        stream.reset = self._judge(stream)
        self.streams.append(stream)


class _Conversation:
    """One connection."""

    def __init__(self, backend: Http2Backend, sock: socket.socket, number: int) -> None:
        self._backend = backend
        self._sock = sock
        self._number = number
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self._streams: dict[int, Stream] = {}

    def run(self) -> None:
        """Until the other side closes."""
        self._h2.initiate_connection()
        with contextlib.suppress(OSError):
            self._sock.sendall(self._h2.data_to_send())
            while data := self._sock.recv(1 << 16):
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._sock.sendall(self._h2.data_to_send())

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event.stream_id or 0, {str(name): str(value) for name, value in event.headers or ()})
        elif isinstance(event, h2.events.DataReceived):
            self._streams[event.stream_id or 0].body += event.data or b""
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            self._answer(event.stream_id or 0)

    def _begin(self, number: int, headers: dict[str, str]) -> None:
        stream = self._streams[number] = Stream(self._number, headers)
        self._backend.judge(stream)
        if stream.reset is not None:
            self._h2.reset_stream(number, stream.reset)

    def _answer(self, number: int) -> None:
        if self._streams[number].reset is None:
            body = self._backend.name.encode()
            self._h2.send_headers(number, [(":status", "200"), ("content-length", str(len(body)))])
            self._h2.send_data(number, body, end_stream=True)
