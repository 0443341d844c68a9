"""Requests of HTTP/1, byte by byte, as HTTP/2 would carry them: the name and value of each line as they stand."""

from __future__ import annotations

from dataclasses import dataclass, field

Field = tuple[bytes, bytes]


@dataclass
class Translated:
    """What goes into HEADERS, DATA, and the HEADERS behind it. Nothing of it needs to be right."""

    fields: list[Field]
    body: bytes = b""
    trailers: list[Field] = field(default_factory=list)


def translated(raw: bytes, *, scheme: bytes = b"http") -> Translated:
    """Whatever has the form of a head: method, target, version, lines with a colon. Raises ValueError for what has not.

    Lines end where HTTP/1 ends them, so a bare CR or LF stays within a name or a value. A chunked body stays in its
    chunks: what a naive translation would make of it.
    """
    head, end, body = raw.lstrip(b"\r\n").partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, _, rest = first.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not end or not version.startswith(b"HTTP/") or b"\r" in version:
        raise ValueError("no head")
    pairs = [_pair(line) for line in lines]
    hosts = [value for name, value in pairs if name == b"host"]
    fields = [(b":method", method), (b":scheme", scheme), (b":path", target)]
    if len(hosts) == 1:
        fields.append((b":authority", hosts[0]))
        pairs = [pair for pair in pairs if pair[0] != b"host"]
    return Translated(fields + pairs, body)


def _pair(line: bytes) -> Field:
    name, colon, value = line.partition(b":")
    if not colon:
        raise ValueError("no colon")
    return name.lower(), value.strip(b" \t")
