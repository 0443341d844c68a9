"""HTTP/2 frames by hand (RFC 9113 section 4), and a client of one connection that sends any of them.

Nothing here minds the rules: a test breaks them as it likes, down to the bytes of a header block.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from hpack import Decoder

from tests.support.client import TIMEOUT, Address

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WHOLE_WINDOW = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 2, 3, 4
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL = 5, 6, 8

CODES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)

Fields = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Frame:
    """One that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> str:
        """Of a RST_STREAM or a GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return code_name(int.from_bytes(self.payload[at : at + 4], "big"))


def code_name(code: int) -> str:
    """Of an error."""
    return CODES[code] if code < len(CODES) else hex(code)


# Writing.


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Any frame."""
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload


def settings(*values: tuple[int, int]) -> bytes:
    """SETTINGS."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in values))


def settings_ack() -> bytes:
    """The answer to SETTINGS."""
    return frame(SETTINGS, ACK, 0)


def window_update(stream: int, increment: int) -> bytes:
    """WINDOW_UPDATE, of the connection with stream 0."""
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream: int, code: int = 8) -> bytes:
    """RST_STREAM, with CANCEL unless the code is another."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def ping(payload: bytes = b"01234567", *, flags: int = 0) -> bytes:
    """PING."""
    return frame(PING, flags, 0, payload)


def priority(stream: int, parent: int) -> bytes:
    """PRIORITY."""
    return frame(PRIORITY, 0, stream, struct.pack(">IB", parent, 15))


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> bytes:
    """DATA."""
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def headers(stream: int, block: bytes, *, end: bool = True, whole: bool = True, flags: int = 0) -> bytes:
    """HEADERS with a header block that is whole, or goes on in CONTINUATION."""
    return frame(HEADERS, flags | (END_STREAM if end else 0) | (END_HEADERS if whole else 0), stream, block)


def continuation(stream: int, block: bytes = b"", *, whole: bool = False) -> bytes:
    """CONTINUATION."""
    return frame(CONTINUATION, END_HEADERS if whole else 0, stream, block)


def split_headers(stream: int, block: bytes, *, end: bool, size: int = 16384) -> bytes:
    """A header block of any length in HEADERS and as many CONTINUATION frames as it takes."""
    parts = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
    last = len(parts) - 1
    return headers(stream, parts[0], end=end, whole=last == 0) + b"".join(
        continuation(stream, part, whole=number == last) for number, part in enumerate(parts[1:], 1)
    )


# HPACK (RFC 7541), written without a table and without Huffman: any bytes can be a name or a value.


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """An integer with a prefix of so many bits; `first` has the bits in front of it."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = bytearray([first | most])
    value -= most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(value: bytes) -> bytes:
    """A string literal as it is."""
    return integer(len(value), 7) + value


def literal(name: bytes, value: bytes) -> bytes:
    """A field that is not remembered."""
    return b"\x00" + text(name) + text(value)


def remembered(name: bytes, value: bytes) -> bytes:
    """A field that goes into the dynamic table, where it gets index 62."""
    return b"\x40" + text(name) + text(value)


def indexed(index: int) -> bytes:
    """A field of the static table (1 to 61) or of the dynamic one."""
    return integer(index, 7, 0x80)


def table_size(size: int) -> bytes:
    """A change of the dynamic table's size."""
    return integer(size, 5, 0x20)


def block(fields: Fields) -> bytes:
    """A header block."""
    return b"".join(literal(name, value) for name, value in fields)


def request_fields(
    path: bytes = b"/",
    *,
    method: bytes = b"GET",
    authority: bytes = b"test.example",
    scheme: bytes = b"http",
    more: Fields = (),
) -> list[tuple[bytes, bytes]]:
    """The fields of a request."""
    pseudo = [(b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path)]
    return [*pseudo, *more]


# Reading.


class Frames:
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, received: bytes) -> Iterator[Frame]:
        """The frames that are whole now."""
        self._rest += received
        while len(self._rest) >= 9:
            length = int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self._rest[3:9])
            payload = bytes(self._rest[9 : 9 + length])
            del self._rest[: 9 + length]
            yield Frame(kind, flags, stream & WHOLE_WINDOW, payload)


@dataclass
class Answer:
    """What came on one stream."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: str = ""
    """The code with which the other side gave it up."""

    @property
    def status(self) -> int:
        """0 while there is none."""
        return int(dict(self.headers).get(b":status", b"0"))

    @property
    def over(self) -> bool:
        """Nothing more comes."""
        return self.ended or bool(self.reset)

    def take_headers(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Interim ones, the final ones, or trailers."""
        status = dict(fields).get(b":status", b"")
        if status.startswith(b"1"):
            self.interim.append(fields)
        elif self.headers:
            self.trailers = fields
        else:
            self.headers = fields


class H2Client:
    """One connection: plain by prior knowledge, or TLS with ALPN h2. Windows are wide open unless told otherwise."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        first: Sequence[tuple[int, int]] = ((INITIAL_WINDOW_SIZE, WHOLE_WINDOW),),
        connection_window: int = WHOLE_WINDOW,
        timeout: float = TIMEOUT,
    ) -> None:
        plain = socket.create_connection(address, timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = tls.wrap_socket(plain, server_hostname=server_name) if tls else plain
        except BaseException:
            plain.close()
            raise
        self.answers: dict[int, Answer] = {}
        self.peer_settings: dict[int, int] = {}
        self.goaway = ""
        """The code of the last GOAWAY."""
        self.closed = False
        self.windows: dict[int, int] = {}
        """What may still be sent, by stream, 0 for the connection."""
        self._frames = Frames()
        self._decoder = Decoder(max_header_list_size=1 << 20)
        self._block = bytearray()
        self._next = 1
        self._pongs = 0
        opened = window_update(0, connection_window - 65535) if connection_window > 65535 else b""
        self.send(PREFACE + settings(*first) + opened)

    def send(self, sent: bytes) -> bool:
        """Sends bytes; False when the other side has closed."""
        try:
            self.sock.sendall(sent)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False
        return True

    def new_stream(self) -> int:
        """The next number."""
        stream, self._next = self._next, self._next + 2
        return stream

    def start(self, fields: Fields, *, end: bool = True) -> int:
        """Sends the head of a request; its stream."""
        stream = self.new_stream()
        self.send(split_headers(stream, block(fields), end=end))
        return stream

    def ask(self, fields: Fields, body: bytes = b"", trailers: Fields = ()) -> Answer:
        """Sends a request (its body fits into the first window) and reads the answer to its end."""
        after = block(trailers)
        stream = self.start(fields, end=not body and not after)
        if body:
            self.send(data(stream, body, end=not after))
        if after:
            self.send(split_headers(stream, after, end=True))
        return self.answer(stream)

    def answer(self, stream: int) -> Answer:
        """Reads until a stream or the connection is over."""
        answer = self.answers.setdefault(stream, Answer())
        while not answer.over and self.read():
            pass
        return answer

    def read(self) -> bool:
        """Takes what came, waiting for it; False once the other side has closed."""
        try:
            received = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            received = b""
        if not received:
            self.closed = True
            return False
        for each in self._frames.feed(received):
            self._take(each)
        return True

    def until_settled(self) -> H2Client:
        """Waits for the other side's SETTINGS."""
        while not self.peer_settings and self.read():
            pass
        return self

    def round_trip(self) -> bool:
        """Waits until all that was sent has been read, by a PING; False when the other side has closed instead."""
        self._pongs = 0
        self.send(ping(b"are you?"))
        while not self._pongs and not self.closed:
            self.read()
        return not self.closed

    def send_body(self, stream: int, chunks: Iterable[bytes], *, end: bool = True) -> None:
        """Sends DATA as the windows let it."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest and not self.closed:
                room = min(self._room(0), self._room(stream), 16384)
                if room <= 0:
                    self.read()
                    continue
                self.send(data(stream, bytes(rest[:room])))
                self.windows[0] -= room
                self.windows[stream] -= room
                rest = rest[room:]
        if end:
            self.send(data(stream, end=True))

    def close(self) -> None:
        """Closes at once."""
        self.sock.close()

    def __enter__(self) -> H2Client:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _room(self, stream: int) -> int:
        initial = self.peer_settings.get(INITIAL_WINDOW_SIZE, 65535) if stream else 65535
        return self.windows.setdefault(stream, initial)

    def _take(self, came: Frame) -> None:
        if came.kind == SETTINGS and not came.flags & ACK:
            for name, value in struct.iter_unpack(">HI", came.payload):
                self._take_setting(name, value)
            self.send(settings_ack())
        elif came.kind == PING:
            if came.flags & ACK:
                self._pongs += 1
            else:
                self.send(ping(came.payload, flags=ACK))
        elif came.kind == GOAWAY:
            self.goaway = came.code
        elif came.kind == WINDOW_UPDATE:
            self._room(came.stream)
            self.windows[came.stream] += int.from_bytes(came.payload, "big")
        elif came.kind in (DATA, HEADERS, CONTINUATION, RST_STREAM):
            self._take_of_stream(came, self.answers.setdefault(came.stream, Answer()))

    def _take_setting(self, name: int, value: int) -> None:
        if name == INITIAL_WINDOW_SIZE:
            change = value - self.peer_settings.get(name, 65535)
            for stream in self.windows:
                self.windows[stream] += change if stream else 0
        self.peer_settings[name] = value

    def _take_of_stream(self, came: Frame, answer: Answer) -> None:
        if came.kind == RST_STREAM:
            answer.reset = came.code
        elif came.kind == DATA:
            answer.body += _unpadded(came)
        else:
            self._block += _unpadded(came) if came.kind == HEADERS else came.payload
            if came.flags & END_HEADERS:
                decoded = self._decoder.decode(bytes(self._block), raw=True)
                answer.take_headers([(bytes(name), bytes(value)) for name, value in decoded])
                self._block.clear()
        if came.kind in (DATA, HEADERS) and came.flags & END_STREAM:
            answer.ended = True


def _unpadded(came: Frame) -> bytes:
    payload = came.payload
    if came.flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    if came.kind == HEADERS and came.flags & PRIORITISED:
        payload = payload[5:]
    return payload
