"""The difference between what is wanted and what is published, by key.

What is published is remembered as one digest per key, not as values: enough to tell whether a value differs, and to
state the digest of the whole, which the Rust side states as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastingress.model import Key, digest_of

Changes = dict[Key, "bytes | None"]
"""Wanted values by key; `None` for a key that is to go."""

_MODULUS = 1 << 128


@dataclass(frozen=True)
class Difference:
    """The keys whose values differ from what is published."""

    upserts: Mapping[Key, bytes]
    removals: frozenset[Key]
    full: bool
    """Everything there is: keys that are not among the upserts go."""
    digests: Mapping[Key, int]
    """Of each upsert."""

    def __bool__(self) -> bool:
        return self.full or bool(self.upserts) or bool(self.removals)


class Published:
    """Digests of what is published."""

    def __init__(self) -> None:
        self._digests: dict[Key, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._digests)

    def digest(self) -> str:
        """Of the whole: 32 hexadecimal characters, the same as the Rust side's for the same state."""
        return format(self._total, "032x")

    def difference(self, changes: Mapping[Key, bytes | None], *, full: bool = False) -> Difference:
        """What of `changes` has to be sent. With `full` all of it, and whatever it does not name is to go."""
        upserts: dict[Key, bytes] = {}
        digests: dict[Key, int] = {}
        removals: set[Key] = set()
        for key, value in changes.items():
            if value is None:
                if key in self._digests and not full:
                    removals.add(key)
                continue
            digest = digest_of(key, value)
            if full or self._digests.get(key) != digest:
                upserts[key] = value
                digests[key] = digest
        return Difference(upserts=upserts, removals=frozenset(removals), full=full, digests=digests)

    def commit(self, difference: Difference) -> None:
        """Take note that `difference` was applied."""
        if difference.full:
            self._digests = dict(difference.digests)
            self._total = sum(self._digests.values()) % _MODULUS
            return
        self._total = (self._total + self._delta(difference)) % _MODULUS
        self._digests.update(difference.digests)
        for key in difference.removals:
            del self._digests[key]

    def _delta(self, difference: Difference) -> int:
        gone: Iterable[Key] = (*difference.digests, *difference.removals)
        return sum(difference.digests.values()) - sum(self._digests.get(key, 0) for key in gone)
