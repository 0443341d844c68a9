"""The digest of a desired state, the same on both sides whatever the order in which the state came about.

Each entry has a 128-bit hash; the state's digest is their sum, wrapping, so that one change costs one entry.
"""

from __future__ import annotations

from hashlib import blake2b

from fastingress.model.schema import Key

_MODULUS = 1 << 128


def digest_of(key: Key, blob: bytes) -> int:
    """The hash of one entry, below 2**128."""
    kind, name = key
    content = b"".join((kind.encode(), b"\0", name.encode(), b"\0", blob))
    return int.from_bytes(blake2b(content, digest_size=16).digest(), "little")


class Digest:
    """The running sum over the entries of a state."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, key: Key, blob: bytes) -> None:
        """An entry came."""
        self._total = (self._total + digest_of(key, blob)) % _MODULUS

    def remove(self, key: Key, blob: bytes) -> None:
        """An entry that had been added went."""
        self._total = (self._total - digest_of(key, blob)) % _MODULUS

    def hex(self) -> str:
        """32 lower-case hexadecimal characters, as the core prints them."""
        return format(self._total, "032x")
