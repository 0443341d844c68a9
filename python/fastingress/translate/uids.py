"""Keeps the keys of fragments apart when two Ingresses have one uid, as copied manifests do.

An Ingress that is alone with its uid goes by it; those that share one go by uid, namespace and name.
"""

from __future__ import annotations

from fastingress.model import Key
from fastingress.translate.members import Members


class Uids:
    """Who has which uid."""

    def __init__(self) -> None:
        self._holders: Members[str, Key] = Members()
        self._uid_of: dict[Key, str] = {}

    def claim(self, unit: Key, uid: str) -> set[Key]:
        """`unit` has `uid` now. Answers the other units whose suffix is different from now on."""
        if self._uid_of.get(unit) == uid:
            return set()
        affected = self.release(unit)
        holders = self._holders.of(uid)
        if len(holders) == 1:
            affected |= holders
        self._holders.add(uid, unit)
        self._uid_of[unit] = uid
        return affected

    def release(self, unit: Key) -> set[Key]:
        """`unit` is gone. Answers the other units whose suffix is different from now on."""
        uid = self._uid_of.pop(unit, None)
        if uid is None:
            return set()
        self._holders.discard(uid, unit)
        holders = self._holders.of(uid)
        return set(holders) if len(holders) == 1 else set()

    def suffix(self, unit: Key) -> str:
        """What stands behind `host/` in the keys of the unit's fragments."""
        uid = self._uid_of[unit]
        return uid if len(self._holders.of(uid)) == 1 else f"{uid}~{unit[1]}"
