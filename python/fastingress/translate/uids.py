"""Keeps the keys of fragments apart when two Ingresses have one uid, as copied manifests do.

An Ingress that is alone with its uid goes by it; those that share one go by uid, namespace and name.
"""

from __future__ import annotations

from fastingress.model import Key


class Uids:
    """Who has which uid."""

    def __init__(self) -> None:
        self._holders: dict[str, set[Key]] = {}
        self._uid_of: dict[Key, str] = {}

    def claim(self, unit: Key, uid: str) -> set[Key]:
        """`unit` has `uid` now. Answers the other units whose suffix is different from now on."""
        if self._uid_of.get(unit) == uid:
            return set()
        affected = self.release(unit)
        holders = self._holders.setdefault(uid, set())
        if len(holders) == 1:
            affected |= holders
        holders.add(unit)
        self._uid_of[unit] = uid
        return affected

    def release(self, unit: Key) -> set[Key]:
        """`unit` is gone. Answers the other units whose suffix is different from now on."""
        uid = self._uid_of.pop(unit, None)
        if uid is None:
            return set()
        holders = self._holders[uid]
        holders.discard(unit)
        if not holders:
            del self._holders[uid]
        return set(holders) if len(holders) == 1 else set()

    def suffix(self, unit: Key) -> str:
        """What stands behind `host/` in the keys of the unit's fragments."""
        uid = self._uid_of[unit]
        return uid if len(self._holders[uid]) == 1 else f"{uid}~{unit[1]}"
