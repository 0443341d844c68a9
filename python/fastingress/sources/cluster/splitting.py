"""Lines from chunks of bytes, whatever the borders of the chunks.

A long line is joined once, when its end is there: its cost is its length, not the square of it.
"""

from __future__ import annotations

MOST_BYTES = 64 << 20
"""Bytes that one line may have: far more than an API server stores."""


class TooLong(ValueError):
    """A line that does not end."""


class LineSplitter:
    """Takes chunks, gives the lines that they complete, without their ends and without empty ones."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._most = most

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are whole now. Raises TooLong."""
        first, *others = chunk.split(b"\n")
        if not others:
            self._keep(first)
            return []
        if self._parts:
            self._parts.append(first)
            first = b"".join(self._parts)
            self._parts, self._size = [], 0
        self._keep(others.pop())
        return [line for line in (first, *others) if line]

    def rest(self) -> bytes:
        """The beginning of a line whose end has not come."""
        return b"".join(self._parts)

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._most:
            raise TooLong(f"a line of more than {self._most} bytes")
