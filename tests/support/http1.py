"""Just enough HTTP/1 to read what a peer sent. Strict about framing: a wrong byte from the gateway fails a test."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any


class Malformed(AssertionError):
    """The peer sent something that is not HTTP/1."""


class Closed(AssertionError):
    """The peer closed before the message was whole."""


@dataclass
class Message:
    """One request or response: its first line split in three, header lines in order, the body without its framing."""

    start: tuple[str, str, str]
    headers: list[tuple[str, str]]
    raw_head: bytes
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The value of a header; several lines are joined with a comma."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        """The values of all lines of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Request(Message):
    """A request as a backend received it."""

    @property
    def method(self) -> str:
        return self.start[0]

    @property
    def target(self) -> str:
        return self.start[1]


class Response(Message):
    """A response as a client received it."""

    interim: tuple[Response, ...] = ()

    @property
    def status(self) -> int:
        return int(self.start[1])


class Reader:
    """Reads messages from a socket and keeps every byte that came."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.keeps = True
        """Without it, what has been read is forgotten: for bodies larger than memory."""
        self._at = 0
        self.ended = False

    def head(self) -> bytes | None:
        """The bytes of the next head, with its empty line; None when the peer closed cleanly before one began."""
        while (end := self.received.find(b"\r\n\r\n", self._at)) < 0:
            if not self._more():
                if self._at == len(self.received):
                    return None
                raise Closed(f"in the middle of a head: {bytes(self.received[self._at :])!r}")
        head = bytes(self.received[self._at : end + 4])
        self._at = end + 4
        return head

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self.received) - self._at < count:
            if not self._more():
                raise Closed(f"{len(self.received) - self._at} of {count} bytes came")
        data = bytes(self.received[self._at : self._at + count])
        self._at += count
        return data

    def line(self) -> bytes:
        """The next line, without its CRLF."""
        while (end := self.received.find(b"\r\n", self._at)) < 0:
            if not self._more():
                raise Closed("in the middle of a line")
        line = bytes(self.received[self._at : end])
        self._at = end + 2
        return line

    def some(self) -> bytes:
        """What is there, at least one byte; empty when the peer has closed."""
        if self._at == len(self.received):
            self._more()
        data = bytes(self.received[self._at :])
        self._at = len(self.received)
        return data

    def rest(self) -> bytes:
        """All until the peer closes."""
        while self._more():
            pass
        return self.some()

    def chunked(self, message: Message) -> None:
        """A chunked body with its trailers, into `message`."""
        body = bytearray()
        while size := self._chunk_size():
            body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Malformed("a chunk does not end in CRLF")
        while line := self.line():
            message.trailers.append(_header(line))
        message.body = bytes(body)

    def _chunk_size(self) -> int:
        line = self.line()
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise Malformed(f"chunk size {line!r}") from None

    def _more(self) -> bool:
        if self.ended:
            return False
        if not self.keeps:
            del self.received[: self._at]
            self._at = 0
        data = self.sock.recv(65536)
        self.received += data
        self.ended = not data
        return bool(data)


def parse_head(raw: bytes) -> tuple[tuple[str, str, str], list[tuple[str, str]]]:
    """The first line, split in three, and the header lines."""
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    parts = first.decode("latin-1").split(" ", 2)
    if len(parts) != 3:
        raise Malformed(f"first line {first!r}")
    return (parts[0], parts[1], parts[2]), [_header(line) for line in lines]


def read_request(reader: Reader) -> Request | None:
    """The next request's head; None when there is none. The body is read by `read_body`."""
    raw = reader.head()
    if raw is None:
        return None
    return Request(*parse_head(raw), raw_head=raw)


def read_body(reader: Reader, message: Message) -> None:
    """The body of a request, by its framing."""
    if (message.header("transfer-encoding") or "").lower() == "chunked":
        reader.chunked(message)
    elif length := message.header("content-length"):
        message.body = reader.exactly(int(length))


def read_response(reader: Reader, *, method: str = "GET") -> Response:
    """The next final response with its body; interim ones are kept in `interim`."""
    interim: list[Response] = []
    while True:
        raw = reader.head()
        if raw is None:
            raise Closed("no response came")
        response = Response(*parse_head(raw), raw_head=raw)
        if not 100 <= response.status < 200 or response.status == 101:
            break
        interim.append(response)
    response.interim = tuple(interim)
    if method == "HEAD" or response.status in (101, 204, 304):
        return response
    if response.header("transfer-encoding") is None and response.header("content-length") is None:
        response.body = reader.rest()
    else:
        read_body(reader, response)
    return response


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or name != name.strip():
        raise Malformed(f"header line {line!r}")
    return name, value.strip()
