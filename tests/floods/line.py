"""Runs one flood over some connections for some time, and says how the other side took it.

A connection that is ended is made again, at once. One thread and one selector serve all of them, so that what comes is
read while more is sent: a server that answers a flood with a farewell is heard.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.client import Address
from tests.support.frames import GOAWAY, HEADERS, RST_STREAM, Frames

Attack = Callable[[], Iterator["bytes | float"]]
"""What one connection does: bytes to send, or how many seconds to say nothing. After its end it only listens."""

CONNECT_SECONDS = 10.0
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass
class Outcome:
    """What was done, and what came of it."""

    connections: int = 0
    refused: int = 0
    """Connections that could not be made."""
    sent_bytes: int = 0
    goaways: Counter[str] = field(default_factory=Counter)
    """Connections that were ended with a GOAWAY, by its code."""
    resets: Counter[str] = field(default_factory=Counter)
    """Streams that were reset, by code."""
    heads: int = 0
    """Answers, or trailers."""
    closed_silently: int = 0
    """Connections that were ended without a GOAWAY."""
    held: int = 0
    """Connections that were open at the end."""
    longest_seconds: float = 0.0
    """That one connection lasted."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "goaways": dict(self.goaways), "resets": dict(self.resets)}


def run(
    address: Address,
    attack: Attack,
    *,
    seconds: float,
    connections: int,
    reads: bool = True,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Floods for so long. What a connection that does not read would have heard is read at its end."""
    outcome = Outcome()
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        lines = [_Line(address, attack, reads, tls, selector, outcome) for _ in range(connections)]
        try:
            while (now := time.monotonic()) < end:
                _turn(lines, selector, now, end)
        finally:
            for line in lines:
                line.finish()
    return outcome


def _turn(lines: list[_Line], selector: selectors.BaseSelector, now: float, end: float) -> None:
    for line in lines:
        line.prepare(now)
    if not selector.get_map():
        time.sleep(0.01)  # nobody takes our connections
    wake = min([end, *(line.wakes for line in lines if line.wakes > now)])
    for key, events in selector.select(wake - now):
        key.data.serve(events)


class _Line:
    """One connection after the other."""

    def __init__(
        self,
        address: Address,
        attack: Attack,
        reads: bool,
        tls: ssl.SSLContext | None,
        selector: selectors.BaseSelector,
        outcome: Outcome,
    ) -> None:
        self.wakes = 0.0
        """When there is something to send again."""
        self._address = address
        self._attack = attack
        self._reads = reads
        self._tls = tls
        self._selector = selector
        self._outcome = outcome
        self._sock: socket.socket | None = None
        self._broken = False
        """The other side takes nothing more."""
        self._wanted = 0

    def prepare(self, now: float) -> None:
        """Connects if need be, and says to the selector what it waits for."""
        if self._sock is None and not self._connect(now):
            return
        if not self._pending and not self._broken and self.wakes <= now:
            self._next(now)
        sends = bool(self._pending) and not self._broken
        self._want((selectors.EVENT_WRITE if sends else 0) | (selectors.EVENT_READ if self._reads or not sends else 0))

    def serve(self, events: int) -> None:
        """Reads, and sends."""
        if events & selectors.EVENT_READ and not self._read():
            self._ended()
            return
        if events & selectors.EVENT_WRITE and not self._broken:
            self._write()

    def finish(self) -> None:
        """Reads what has come, and closes."""
        if self._sock is None:
            return
        if not self._read() or self._goaway:
            self._ended()
        else:
            self._outcome.held += 1
            self._close()

    def _connect(self, now: float) -> bool:
        try:
            plain = socket.create_connection(self._address, CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._tls.wrap_socket(plain) if self._tls else plain
        except OSError:
            self._outcome.refused += 1
            return False
        sock.setblocking(False)
        self._sock = sock
        self._steps = self._attack()
        self._pending = b""
        self._frames = Frames()
        self._goaway = ""
        self._broken = False
        self._since = now
        self.wakes = 0.0
        self._outcome.connections += 1
        self._wanted = 0
        return True

    def _want(self, events: int) -> None:
        assert self._sock is not None
        if events == self._wanted:
            return
        if not self._wanted:
            self._selector.register(self._sock, events, self)
        else:
            self._selector.modify(self._sock, events, self)
        self._wanted = events

    def _next(self, now: float) -> None:
        step = next(self._steps, None)
        if step is None:
            self.wakes = float("inf")
        elif isinstance(step, float):
            self.wakes = now + step
        else:
            self._pending = step

    def _write(self) -> None:
        assert self._sock is not None
        try:
            sent = self._sock.send(self._pending)
        except _WOULD_BLOCK:
            return
        except OSError:
            self._broken = True
            return
        self._outcome.sent_bytes += sent
        self._pending = self._pending[sent:]

    def _read(self) -> bool:
        """Takes what has come, a mebibyte at most; False at its end."""
        assert self._sock is not None
        for _ in range(64):
            try:
                received = self._sock.recv(1 << 14)
            except _WOULD_BLOCK:
                return True
            except OSError:
                return False
            if not received:
                return False
            self._take(received)
        return True

    def _take(self, received: bytes) -> None:
        for each in self._frames.feed(received):
            if each.kind == GOAWAY:
                self._goaway = each.code
            elif each.kind == RST_STREAM:
                self._outcome.resets[each.code] += 1
            elif each.kind == HEADERS:
                self._outcome.heads += 1

    def _ended(self) -> None:
        if self._goaway:
            self._outcome.goaways[self._goaway] += 1
        else:
            self._outcome.closed_silently += 1
        self._close()

    def _close(self) -> None:
        assert self._sock is not None
        lasted = time.monotonic() - self._since
        self._outcome.longest_seconds = max(self._outcome.longest_seconds, round(lasted, 3))
        if self._wanted:
            self._selector.unregister(self._sock)
        self._sock.close()
        self._sock = None
