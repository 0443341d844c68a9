"""What each flood sends on one connection. Every function is a generator of bytes, and of seconds of silence."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

from tests.support import frames as h2

Steps = Iterator["bytes | float"]

BATCH = 64
"""Streams, or frames, in one write."""
LAST_STREAM = 1 << 30
_GET = h2.block(h2.request_fields(b"/"))
_POST = h2.block(h2.request_fields(b"/", method=b"POST"))


def _hello(*settings: tuple[int, int]) -> bytes:
    return h2.PREFACE + h2.settings(*settings) + h2.settings_ack()


def _streams() -> Iterator[int]:
    return iter(range(1, LAST_STREAM, 2))


def repeated(*parts: bytes, before: bytes = b"") -> Steps:
    """The same frames again and again."""
    yield _hello() + before
    batch = b"".join(parts) * BATCH
    while True:
        yield batch


def each_stream(make: Callable[[int], bytes], *settings: tuple[int, int], pause: float = 0.0) -> Steps:
    """The same on one stream after the other."""
    yield _hello(*settings)
    streams = _streams()
    while batch := list(itertools.islice(streams, BATCH)):
        yield b"".join(make(stream) for stream in batch)
        if pause:
            yield pause


# Streams that end early.


def rapid_reset() -> Steps:
    """Requests that are taken back at once (CVE-2023-44487)."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.reset(stream))


def zero_increments() -> Steps:
    """Streams whose window is opened by nothing: an error of the stream (CVE-2025-8671)."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.window_update(stream, 0))


def overflown_windows() -> Steps:
    """Streams whose window is opened beyond its end."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.window_update(stream, h2.WHOLE_WINDOW))


def data_after_the_end() -> Steps:
    """Streams on which more comes after their end."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.data(stream, b"more"))


def headers_after_the_end() -> Steps:
    """Streams that begin again after they were given up."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.reset(stream) + h2.headers(stream, _GET))


def own_parents() -> Steps:
    """Streams that depend on themselves, by PRIORITY."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.priority(stream, stream))


def short_priorities() -> Steps:
    """Streams with a PRIORITY of the wrong length."""
    return each_stream(lambda stream: h2.headers(stream, _GET) + h2.frame(h2.PRIORITY, 0, stream, b"\0\0\0\0"))


def own_parents_at_birth() -> Steps:
    """Streams that depend on themselves from their HEADERS on."""
    return each_stream(
        lambda stream: h2.headers(stream, struct.pack(">IB", stream, 15) + _GET, flags=h2.PRIORITISED),
    )


def wrong_lengths() -> Steps:
    """Requests whose body is longer than they said."""
    head = h2.block(h2.request_fields(method=b"POST", more=[(b"content-length", b"1")]))
    return each_stream(lambda stream: h2.headers(stream, head, end=False) + h2.data(stream, b"four", end=True))


def malformed_requests() -> Steps:
    """Requests with a field that HTTP/2 does not know."""
    head = h2.block(h2.request_fields(more=[(b"connection", b"close")]))
    return each_stream(lambda stream: h2.headers(stream, head))


# Frames that cost something and do nothing.


def settings_frames() -> Steps:
    """SETTINGS, each of which wants an answer (CVE-2019-9515)."""
    return repeated(h2.settings())


def settings_values() -> Steps:
    """SETTINGS with many values, that change the windows of all streams."""
    values = [(h2.INITIAL_WINDOW_SIZE, size) for size in (0, 65535, 1, 1 << 20)] * 16
    return repeated(
        h2.settings(*values), before=b"".join(h2.headers(each, _POST, end=False) for each in range(1, 99, 2))
    )


def pings() -> Steps:
    """PING, each of which wants an answer (CVE-2019-9512)."""
    return repeated(h2.ping())


def empty_data() -> Steps:
    """DATA without anything in it (CVE-2019-9518)."""
    return repeated(h2.data(1), before=h2.headers(1, _POST, end=False))


def padded_data() -> Steps:
    """DATA of nothing but padding."""
    return repeated(h2.frame(h2.DATA, h2.PADDED, 1, b"\0"), before=h2.headers(1, _POST, end=False))


def empty_headers() -> Steps:
    """HEADERS without anything in them, on new streams (CVE-2019-9518)."""
    return each_stream(lambda stream: h2.headers(stream, b""))


def priorities() -> Steps:
    """PRIORITY of streams that are not there (CVE-2019-9513)."""
    yield _hello()
    for first in itertools.cycle(range(1, 1 << 20, 2 * BATCH)):
        yield b"".join(h2.priority(first + 2 * each, first + 2 * each + 2) for each in range(BATCH))


def window_updates() -> Steps:
    """The connection's window is opened byte by byte."""
    return repeated(h2.window_update(0, 1))


def unknown_frames() -> Steps:
    """Frames of a kind that nobody knows, which are to be ignored."""
    return repeated(h2.frame(0xEE, 0, 0, b"x" * 64))


# Header blocks.


def empty_continuations() -> Steps:
    """A header block that goes on for ever, in CONTINUATION frames without anything in them (CVE-2024-27316)."""
    return repeated(h2.continuation(1), before=h2.headers(1, _GET, whole=False))


def full_continuations() -> Steps:
    """The same, with fields in them."""
    part = h2.literal(b"x-filler", b"y" * 100)
    return repeated(h2.continuation(1, part * 64), before=h2.headers(1, _GET, whole=False))


def header_bomb() -> Steps:
    """A field of 4,000 bytes that is remembered, and then named 16,000 times in a byte each."""
    yield _hello()
    yield h2.headers(1, _GET + h2.remembered(b"x-bomb", b"y" * 4000))
    bomb = _GET + h2.indexed(62) * 16000
    for stream in range(3, LAST_STREAM, 2):
        yield h2.headers(stream, bomb)


def many_fields() -> Steps:
    """Requests with as many of the shortest fields as fit into a frame."""
    head = _GET + h2.literal(b"a", b"") * 4000
    return each_stream(lambda stream: h2.headers(stream, head))


def cookie_crumbs() -> Steps:
    """Requests with 16,000 empty cookies, in a byte each: field 32 of the static table."""
    head = _GET + h2.indexed(32) * 16000
    return each_stream(lambda stream: h2.headers(stream, head))


def table_sizes() -> Steps:
    """Header blocks that begin with thousands of changes of the table's size."""
    head = (h2.table_size(0) + h2.table_size(4096)) * 3000 + _GET
    return each_stream(lambda stream: h2.headers(stream, head))


def slow_headers() -> Steps:
    """A header block that comes byte by byte."""
    yield _hello()
    yield h2.headers(1, _GET[:1], whole=False)
    for at in range(1, len(_GET)):
        yield h2.continuation(1, _GET[at : at + 1])
        yield 0.2


# Windows.


def closed_windows() -> Steps:
    """Streams that ask for big answers and never let one through (CVE-2019-9517)."""
    return asking_big((h2.INITIAL_WINDOW_SIZE, 0))


def narrow_windows() -> Steps:
    """Streams that ask for big answers and take them byte by byte (CVE-2019-9511)."""
    yield from itertools.islice(asking_big((h2.INITIAL_WINDOW_SIZE, 1)), 2)
    while True:
        yield b"".join(h2.window_update(stream, 1) for stream in range(1, 2 * 100, 2))
        yield 0.05


def asking_big(*settings: tuple[int, int], streams: int = 100) -> Steps:
    """So many requests for big answers; then silence."""
    ask = h2.block(h2.request_fields(b"/big"))
    yield _hello(*settings)
    yield b"".join(h2.headers(stream, ask) for stream in range(1, 2 * streams, 2))


def slow_bodies() -> Steps:
    """Requests with bodies that never come."""
    post = h2.block(h2.request_fields(b"/waits", method=b"POST"))
    yield _hello()
    yield b"".join(h2.headers(stream, post, end=False) for stream in range(1, 200, 2))


def idle() -> Steps:
    """Connections that say hello, and nothing more."""
    yield _hello()
