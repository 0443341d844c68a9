"""A client of HTTP/2 that sends what it is told, right or wrong, and reads what comes back.

On the sans-I/O package `h2`, whose own checks of what goes out are switched off.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType

import h2.config
import h2.connection
import h2.events

Address = tuple[str, int]
Headers = Iterable[tuple[str, str]]
TIMEOUT = 20.0


@dataclass
class Answer:
    """What came on one stream."""

    interim: list[dict[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None
    """The code of a RST_STREAM."""

    @property
    def status(self) -> int:
        """Of the final head; 0 before it."""
        return int(dict(self.headers).get(":status", 0))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def header(self, name: str) -> str | None:
        """The value of the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)


class Http2Client:
    """One connection. Every wait on it ends after a while with an error."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        settings: dict[int, int] | None = None,
        automatic_windows: bool = True,
    ) -> None:
        plain = socket.create_connection(address, timeout=TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        self.sock = tls.wrap_socket(plain, server_hostname=server_name) if tls else plain
        if isinstance(self.sock, ssl.SSLSocket):
            assert self.sock.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.automatic_windows = automatic_windows
        self.answers: dict[int, Answer] = {}
        self.goaway: int | None = None
        """The code of a GOAWAY."""
        self.closed = False
        self._begun = b""
        """Of a frame."""
        self.flush()

    def flush(self) -> None:
        """Sends what waits."""
        self.sock.sendall(self.h2.data_to_send())

    def request(
        self,
        target: str = "/",
        *,
        host: str | None = "test.example",
        method: str = "GET",
        headers: Headers = (),
        end: bool = True,
    ) -> int:
        """Sends a request head; the number of its stream."""
        pseudo = [(":method", method), (":scheme", "https"), (":path", target)]
        if host is not None:
            pseudo.insert(1, (":authority", host))
        return self.head([*pseudo, *headers], end=end)

    def head(self, headers: Headers, *, end: bool = True) -> int:
        """Sends exactly these fields; the number of the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, list(headers), end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Sends a body, or a part of it, as the windows let it."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.read()
                continue
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def trailers(self, stream: int, headers: Headers) -> None:
        """Ends a request with trailers."""
        self.h2.send_headers(stream, list(headers), end_stream=True)
        self.flush()

    def read(self) -> list[h2.events.Event]:
        """Takes in what is there, or waits for something."""
        data = self.sock.recv(1 << 16)
        if not data:
            self.closed = True
            return []
        events = self.h2.receive_data(self._without_goaway(data))
        for event in events:
            self._take(event)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what it still has to say is read
            self.flush()
        return events

    def answer(self, stream: int) -> Answer:
        """The whole answer, or what came of it before it was reset or the connection ended."""
        answer = self.answers[stream]
        deadline = time.monotonic() + TIMEOUT
        while not answer.ended and answer.reset is None and not self.closed:
            assert time.monotonic() < deadline, "no whole answer in time"
            self.read()
        return answer

    def ask(self, target: str = "/", **options: object) -> Answer:
        """One request and its answer."""
        return self.answer(self.request(target, **options))  # type: ignore[arg-type]

    def wait_for_goaway(self) -> int:
        """The code of the GOAWAY that comes."""
        deadline = time.monotonic() + TIMEOUT
        while self.goaway is None:
            assert not self.closed, "closed without a GOAWAY"
            assert time.monotonic() < deadline, "no GOAWAY"
            self.read()
        return self.goaway

    def close(self) -> None:
        """Closes at once."""
        self.sock.close()

    def __enter__(self) -> Http2Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _without_goaway(self, data: bytes) -> bytes:
        """Whole frames but GOAWAY: the package takes it for the end, though streams may go on."""
        data, passed = self._begun + data, b""
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3], "big")):
            if data[3] == 7:
                self.goaway = int.from_bytes(data[13:17], "big")
            else:
                passed += data[:size]
            data = data[size:]
        self._begun = data
        return passed

    def _take(self, event: h2.events.Event) -> None:
        stream = getattr(event, "stream_id", None)
        answer = self.answers.get(stream or 0)
        if answer is None or stream is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(_text(event.headers)))
        elif isinstance(event, h2.events.ResponseReceived):
            answer.headers = _text(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(_text(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data or b""
            if self.automatic_windows:
                self.h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code or 0)


def _text(headers: Iterable[tuple[bytes | str, bytes | str]] | None) -> list[tuple[str, str]]:
    return [(_decoded(name), _decoded(value)) for name, value in headers or ()]


def _decoded(part: bytes | str) -> str:
    return part if isinstance(part, str) else part.decode("latin-1")
