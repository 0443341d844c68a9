"""The desired state as it stands, and what became different in it since it was last asked.

Several units may produce one entry (two Ingresses with the same timeouts share an upstream): it stays while one does.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastingress.model import Key


class State:
    """Entries by key, with the number of their producers where it is not one."""

    def __init__(self) -> None:
        self._entries: dict[Key, bytes] = {}
        self._producers: dict[Key, int] = {}
        self._before: dict[Key, bytes | None] = {}

    def replace(self, old: Mapping[Key, bytes], new: Mapping[Key, bytes]) -> None:
        """One producer now gives `new` where it gave `old`."""
        for key, blob in new.items():
            if key not in old and key in self._entries:
                self._producers[key] = self._producers.get(key, 1) + 1
            self._set(key, blob)
        for key in old:
            if key in new:
                continue
            others = self._producers.pop(key, 1) - 1
            if others == 0:
                self._set(key, None)
            elif others > 1:
                self._producers[key] = others

    def take(self) -> tuple[dict[Key, bytes], set[Key]]:
        """Entries that differ, and keys that are gone, since the last call."""
        upserts: dict[Key, bytes] = {}
        removals: set[Key] = set()
        for key, before in self._before.items():
            now = self._entries.get(key)
            if now is None and before is not None:
                removals.add(key)
            elif now is not None and now != before:
                upserts[key] = now
        self._before = {}
        return upserts, removals

    def entries(self) -> dict[Key, bytes]:
        """All entries, as a copy."""
        return dict(self._entries)

    def _set(self, key: Key, blob: bytes | None) -> None:
        old = self._entries.get(key)
        if old == blob:
            return
        self._before.setdefault(key, old)
        if blob is None:
            del self._entries[key]
        else:
            self._entries[key] = blob
