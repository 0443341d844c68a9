"""A client of HTTP/3 that sends what it is told, can move to another port, and reads what comes back.

On aioquic's protocol objects, which do no input or output, and a plain UDP socket.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    QuicEvent,
    StopSendingReceived,
    StreamReset,
)
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from aioquic.tls import SessionTicket

Address = tuple[str, int]
Headers = Iterable[tuple[str, str]]
TIMEOUT = 30.0
DATAGRAM = 65_536
IDLE = 600.0


@dataclass
class Answer:
    """What came on one stream."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None
    """The code of a RESET_STREAM."""
    stopped: int | None = None
    """The code of a STOP_SENDING."""
    take: Callable[[bytes], object] | None = None
    """What has the body in place of `body`, as it comes: for one that is long."""

    @property
    def status(self) -> int:
        """Of the head; 0 before it."""
        return int(dict(self.headers).get(":status", 0))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def header(self, name: str) -> str | None:
        """The value of the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)


class Http3Client:
    """One connection. Every wait on it ends after a while with an error."""

    def __init__(
        self,
        address: Address,
        *,
        server_name: str = "test.example",
        trust: bytes | None = None,
        ticket: SessionTicket | None = None,
        max_data: int = 1 << 20,
    ) -> None:
        self.address = address
        self.tickets: list[SessionTicket] = []
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=["h3"],
            server_name=server_name,
            verify_mode=ssl.CERT_REQUIRED if trust else ssl.CERT_NONE,
            cadata=trust,
            session_ticket=ticket,
            idle_timeout=IDLE,
            max_data=max_data,
            max_stream_data=max_data,
        )
        self.quic = QuicConnection(configuration=configuration, session_ticket_handler=self.tickets.append)
        self._held: set[int] = set()
        self._widen = self.quic._write_stream_limits
        vars(self.quic)["_write_stream_limits"] = self._widen_unless_held
        self.answers: dict[int, Answer] = {}
        self.handshake: HandshakeCompleted | None = None
        self.terminated: ConnectionTerminated | None = None
        self.sock = self._open()
        self._h3: H3Connection | None = None

    def _open(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect(self.address)
        return sock

    @property
    def h3(self) -> H3Connection:
        """The protocol above QUIC, once there is a connection."""
        assert self._h3 is not None
        return self._h3

    @property
    def port(self) -> int:
        """Where it sends from."""
        port: int = self.sock.getsockname()[1]
        return port

    def hello(self) -> None:
        """Sends the first packet and waits for nothing."""
        self.quic.connect(self.address, now=time.monotonic())
        self._send()

    def connect(self) -> Http3Client:
        """Shakes hands."""
        self.hello()
        self.until(lambda: self.handshake or self.terminated)
        assert self.terminated is None, self.terminated
        self._h3 = H3Connection(self.quic)
        # It takes the answer to a HEAD for one that was cut short.
        vars(self._h3)["_check_content_length"] = lambda _: None
        self._send()
        return self

    def move(self) -> None:
        """Goes on from another port, as behind a NAT that forgot."""
        self.sock.close()
        self.sock = self._open()

    # requests

    def request(
        self,
        target: str = "/",
        *,
        host: str = "test.example",
        method: str = "GET",
        headers: Headers = (),
        end: bool = True,
    ) -> int:
        """Sends a request head; the number of its stream."""
        pseudo = [(":method", method), (":scheme", "https"), (":authority", host), (":path", target)]
        return self.head([*pseudo, *headers], end=end)

    def head(self, headers: Headers, *, end: bool = True) -> int:
        """Sends exactly these fields; the number of the stream."""
        stream = self.quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h3.send_headers(stream, [(name.encode(), value.encode()) for name, value in headers], end)
        self._send()
        return stream

    def raw(self, data: bytes, *, end: bool = True) -> int:
        """Sends exactly these bytes on a stream of its own; its number."""
        stream = self.quic.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.quic.send_stream_data(stream, data, end)
        self._send()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Gives a body, or a part of it, to be sent as the windows let it."""
        self.h3.send_data(stream, data, end)
        self._send()

    def unsent(self, stream: int) -> int:
        """How many bytes of a body are kept here: not sent yet, or not acknowledged."""
        return len(self.quic._streams[stream].sender._buffer)

    def trailers(self, stream: int, headers: Headers) -> None:
        """Ends a request with trailers."""
        self.h3.send_headers(stream, [(name.encode(), value.encode()) for name, value in headers], True)
        self._send()

    def cancel(self, stream: int, code: int = 0x10C) -> None:
        """Takes a request back."""
        with contextlib.suppress(AssertionError, ValueError):  # all of it may have been sent
            self.quic.reset_stream(stream, code)
        self.quic.stop_stream(stream, code)
        self._send()

    def hold(self, stream: int) -> None:
        """Gives a stream no more window than it has; otherwise it gets more as bytes come."""
        self._held.add(stream)

    def let_go(self, stream: int) -> None:
        """Takes that back."""
        self._held.remove(stream)
        self._send()

    def answer(self, stream: int, *, timeout: float = TIMEOUT) -> Answer:
        """The whole answer, or what came of it before it was reset or the connection ended."""
        answer = self.answers[stream]
        self.until(lambda: answer.ended or answer.reset is not None or self.terminated, timeout=timeout)
        return answer

    def get(self, target: str = "/", *, host: str = "test.example", headers: Headers = ()) -> Answer:
        """One request and its answer."""
        return self.answer(self.request(target, host=host, headers=headers))

    # the wire

    def until(self, condition: Callable[[], object], *, timeout: float = TIMEOUT) -> None:
        """Sends and receives until a condition holds."""
        end = time.monotonic() + timeout
        while not condition():
            now = time.monotonic()
            assert now < end, "not in time"
            self.step(min(end - now, 1.0))

    def step(self, most: float) -> None:
        """Sends what is due and takes in what is there, or waits for it, at most so many seconds."""
        self._send()
        now = time.monotonic()
        timer = self.quic.get_timer()
        self.sock.settimeout(max(0.0005, min(most, timer - now if timer is not None else most)))
        try:
            data = self.sock.recv(DATAGRAM)
        except (TimeoutError, ConnectionRefusedError):
            data = b""
        now = time.monotonic()
        if data:
            self.quic.receive_datagram(data, self.address, now=now)
        timer = self.quic.get_timer()
        if timer is not None and now >= timer:
            self.quic.handle_timer(now=now)
        while (event := self.quic.next_event()) is not None:
            self._take(event)
        self._send()

    def _widen_unless_held(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        if stream.stream_id not in self._held:
            self._widen(builder, space, stream)

    def _send(self) -> None:
        for data, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            with contextlib.suppress(ConnectionRefusedError):  # told of an earlier one
                self.sock.send(data)

    def _take(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.handshake = event
        elif isinstance(event, ConnectionTerminated):
            self.terminated = event
        elif isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].reset = event.error_code
        elif isinstance(event, StopSendingReceived) and event.stream_id in self.answers:
            self.answers[event.stream_id].stopped = event.error_code
        if self._h3 is not None:
            for message in self._h3.handle_event(event):
                self._read(message)

    def _read(self, message: H3Event) -> None:
        if not isinstance(message, HeadersReceived | DataReceived):
            return
        answer = self.answers[message.stream_id]
        if isinstance(message, DataReceived):
            (answer.take or answer.body.extend)(message.data)
        else:
            fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.headers]
            if answer.headers:
                answer.trailers = dict(fields)
            else:
                answer.headers = fields
        answer.ended = message.stream_ended

    def close(self) -> None:
        """Says goodbye."""
        self.quic.close(error_code=0x100)
        with contextlib.suppress(OSError):
            self._send()
        self.sock.close()

    def __enter__(self) -> Http3Client:
        return self.connect()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
