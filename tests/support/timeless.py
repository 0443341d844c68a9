"""A backend of HTTP/2 that minds no deadline: what it begins goes on until somebody else ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.frames import (
    ACK,
    DATA,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WHOLE_WINDOW,
    Fields,
    Frames,
    block,
    data,
    headers,
    ping,
    settings,
    settings_ack,
    window_update,
)
from tests.support.tcp import Peer, TcpServer

Speak = Callable[[int], bytes]


def head(stream: int, more: Fields = ()) -> bytes:
    """The head of an answer to a call of gRPC."""
    fields = [(b":status", b"200"), (b"content-type", b"application/grpc"), *more]
    return headers(stream, block(fields), end=False)


def nothing(_stream: int) -> bytes:
    """No answer at all."""
    return b""


class Timeless:
    """What it sends, by stream: `begins` once the head of a request has come, `goes_on` for each piece of its body."""

    def __init__(self, begins: Speak = nothing, goes_on: Speak = nothing) -> None:
        self.begins = begins
        self.goes_on = goes_on
        self.resets: list[str] = []
        """The codes with which streams were given up."""

    def __call__(self, peer: Peer) -> None:
        """Serves a connection."""
        assert peer.read(len(PREFACE)) == PREFACE
        peer.send(settings((INITIAL_WINDOW_SIZE, WHOLE_WINDOW)) + window_update(0, WHOLE_WINDOW - 65535))
        frames = Frames()
        while received := peer.sock.recv(65536):
            for frame in frames.feed(received):
                if frame.kind == SETTINGS and not frame.flags & ACK:
                    peer.send(settings_ack())
                elif frame.kind == PING and not frame.flags & ACK:
                    peer.send(ping(frame.payload, flags=ACK))
                elif frame.kind == HEADERS:
                    peer.send(self.begins(frame.stream))
                elif frame.kind == DATA:
                    peer.send(self.goes_on(frame.stream))
                elif frame.kind == RST_STREAM:
                    self.resets.append(frame.code)


@contextmanager
def timeless(begins: Speak = nothing, goes_on: Speak = nothing) -> Iterator[tuple[str, Timeless]]:
    """Starts one; its endpoint, and what it has seen."""
    handler = Timeless(begins, goes_on)
    with TcpServer(handler, name="timeless") as server:
        yield server.endpoint, handler
    assert server.errors == []


def message(stream: int, content: bytes = b"tick") -> bytes:
    """One message of gRPC."""
    return data(stream, b"\0" + len(content).to_bytes(4, "big") + content)
