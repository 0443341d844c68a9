"""ClientHellos by hand: any extensions, in records of any size."""

from __future__ import annotations

import struct

GREASE_ECH = (0xFE0D, b"\x00\x00\x01\x00\x01\x2a\x00\x20" + b"\x07" * 32 + b"\x00\x90" + b"\x09" * 144)
"""What a client sends that has no configuration for encrypted ClientHello (draft-ietf-tls-esni)."""


def _field(width: int, value: bytes) -> bytes:
    return len(value).to_bytes(width, "big") + value


def server_name(name: str) -> tuple[int, bytes]:
    """The extension `server_name`."""
    return 0, _field(2, b"\x00" + _field(2, name.encode()))


def message(*extensions: tuple[int, bytes]) -> bytes:
    """A ClientHello with these extensions and one that says TLS 1.3."""
    listed = b"".join(
        struct.pack("!H", kind) + _field(2, value) for kind, value in (*extensions, (43, b"\x02\x03\x04"))
    )
    body = b"\x03\x03" + b"\x05" * 32 + _field(1, b"\x06" * 32) + _field(2, b"\x13\x01") + _field(1, b"\x00")
    return b"\x01" + _field(3, body + _field(2, listed))


def records(handshake: bytes, size: int = 16384) -> bytes:
    """A handshake message in records of at most `size` bytes."""
    pieces = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + _field(2, piece) for piece in pieces)
