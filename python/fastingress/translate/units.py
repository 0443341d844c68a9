"""The book of units: what each read, produced, refers to and found wrong, and the way back from there.

It keeps the indices in step and says which shared units appear and vanish; it translates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct

from fastingress.model import Key
from fastingress.problems import ObjectRef, Origin, Problem
from fastingress.store import Dependency
from fastingress.translate.findings import Finding, Owner
from fastingress.translate.members import Members
from fastingress.translate.state import State

IDENTITY = "identity"
"""What is shown to endpoints. Produces a certificate, as the unit of that kind does."""
UNITS_OF_SECRETS = ("certificate", "authority", "tickets", IDENTITY)
"""Those that are named by a Secret."""
_SHARED = ("endpoints", "class", *UNITS_OF_SECRETS)
_FETCHED = ("Secret", "ConfigMap")
"""Kinds of which a source need not bring more than is read."""


class Unit(Struct, frozen=True, kw_only=True, gc=False):
    """What came of one unit."""

    entries: dict[Key, bytes] = {}
    """The entries of the desired state that it produced."""
    refers: frozenset[Key] = frozenset()
    """The shared units that exist for it, among others."""
    depends: tuple[Dependency, ...] = ()
    """What it read, each once."""
    findings: tuple[Finding, ...] = ()
    ref: ObjectRef | None = None
    """The Ingress it is the unit of."""
    ours: bool = False
    """It is the unit of an Ingress that is served here."""
    origin: Origin | None = None
    owners: dict[Key, tuple[Owner, ...]] | None = None
    """Who is told what is wrong with a shared unit, where that is not the Ingress, or nobody. Most have none."""

    def owners_to(self, shared: Key) -> tuple[Owner, ...]:
        """Who is told what is wrong with a shared unit that it refers to, or with itself."""
        told = self.owners.get(shared) if self.owners else None
        return told or (Owner(self.ref, self.origin),)

    def failed(self, finding: Finding, depends: Iterable[Dependency]) -> Unit:
        """The same outcome, kept although redoing it failed."""
        return msgspec.structs.replace(self, findings=(finding,), depends=tuple({*self.depends, *depends}))


_NO_UNIT = Unit()


class Units:
    """All units by key, `(kind, name)`, in step with a state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._units: dict[Key, Unit] = {}
        self._dependents: Members[Dependency, Key] = Members()
        self._owners: Members[Key, Key] = Members()
        self._touched: set[Key] = set()
        self._needs: dict[Dependency, bool] = {}
        self._turned: set[Key] = set()
        self._stated: dict[Key, list[Problem]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._units

    def keys(self) -> list[Key]:
        """All units."""
        return list(self._units)

    def dependents(self, dependency: Dependency) -> AbstractSet[Key]:
        """The units that read it. Not to be kept."""
        return self._dependents.of(dependency)

    def last(self, key: Key) -> Unit:
        """What last came of a unit; an empty one if there was none."""
        return self._units.get(key, _NO_UNIT)

    def is_wanted(self, key: Key) -> bool:
        """Whether a shared unit still has an owner; other units stand for themselves."""
        return key[0] not in _SHARED or key in self._owners

    def put(self, key: Key, unit: Unit) -> list[Key]:
        """`unit` takes the place of what was there. Answers the shared units that are wanted and not there yet."""
        old = self._units.get(key, _NO_UNIT)
        self._units[key] = unit
        return self._swap(key, old, unit)

    def remove(self, key: Key) -> None:
        """The unit is gone, and with it what nothing else wants."""
        old = self._units.pop(key, None)
        if old is not None:
            self._swap(key, old, _NO_UNIT)

    def owners_of(self, key: Key) -> list[ObjectRef]:
        """The Ingresses that lead to an entry, by namespace and name."""
        owners: Iterable[Key] = self._owners.of(key)
        if key[0] == "certificate":
            owners = self._owners.of(key) | self._owners.of((IDENTITY, key[1]))
        elif key[0] not in _SHARED:
            owners = [name for name, unit in self._units.items() if key in unit.entries]
        refs = [self._units[owner].ref for owner in sorted(owners)]
        return [ref for ref in refs if ref is not None]

    def problems(self) -> dict[str, list[Problem]]:
        """All that was stated and not cleared, by unit."""
        return {_text(key): list(problems) for key, problems in self._stated.items()}

    def needs(self) -> set[Dependency]:
        """All that a source has to bring because it is read."""
        return {dependency for dependency in self._dependents if dependency.kind in _FETCHED}

    def take_needs(self) -> tuple[set[Dependency], set[Dependency]]:
        """What a source has to bring, and need not bring any more, that was otherwise when last asked."""
        changed, self._needs = self._needs, {}
        needed = {dependency for dependency, before in changed.items() if not before and dependency in self._dependents}
        unneeded = {
            dependency for dependency, before in changed.items() if before and dependency not in self._dependents
        }
        return needed, unneeded

    def take_turned(self) -> set[Key]:
        """The units that may have become or ceased to be ours since last asked."""
        turned, self._turned = self._turned, set()
        return turned

    def take_problems(self) -> dict[str, list[Problem]]:
        """The units whose problems are others than when last asked, with all they have now."""
        changed: dict[str, list[Problem]] = {}
        for key in sorted(self._touched):
            now = self._problems_of(key)
            if now == self._stated.get(key, []):
                continue
            changed[_text(key)] = now
            if now:
                self._stated[key] = now
            else:
                del self._stated[key]
        self._touched.clear()
        return changed

    def _swap(self, key: Key, old: Unit, new: Unit) -> list[Key]:
        self._state.replace(old.entries, new.entries)
        if old.depends != new.depends:
            self._depend(key, old.depends, new.depends)
        if old.findings or new.findings:
            self._touched.add(key)
        if old.ours != new.ours:
            self._turned.add(key)
        if old.refers != new.refers or _moved(old, new):
            return self._refer(key, old, new)
        return []

    def _depend(self, key: Key, old: Iterable[Dependency], new: Iterable[Dependency]) -> None:
        came, gone = set(new).difference(old), set(old).difference(new)
        for dependency in (*came, *gone):
            if dependency.kind in _FETCHED:
                self._needs.setdefault(dependency, dependency in self._dependents)
        for dependency in gone:
            self._dependents.discard(dependency, key)
        for dependency in came:
            self._dependents.add(dependency, key)

    def _refer(self, key: Key, old: Unit, new: Unit) -> list[Key]:
        came, gone = new.refers - old.refers, old.refers - new.refers
        for shared in came:
            self._owners.add(shared, key)
        self._touch_shared(old, new)
        for shared in gone:
            self._owners.discard(shared, key)
            if shared not in self._owners:
                self.remove(shared)
        return [shared for shared in sorted(came) if shared not in self._units]

    def _touch_shared(self, old: Unit, new: Unit) -> None:
        """The problems of a shared unit are those of its owners, so another owner makes them others."""
        for shared in (old.refers | new.refers) if _moved(old, new) else (old.refers ^ new.refers):
            if self._units.get(shared, _NO_UNIT).findings:
                self._touched.add(shared)

    def _problems_of(self, key: Key) -> list[Problem]:
        unit = self._units.get(key, _NO_UNIT)
        owners = sorted(self._owners.of(key)) if key[0] in _SHARED else [key]
        problems: dict[Problem, None] = {}
        for owner in owners if unit.findings else ():
            for told in self._units[owner].owners_to(key):
                heard = (finding for finding in unit.findings if told.has_requests or not finding.of_requests)
                problems.update(dict.fromkeys(finding.owned_by(told) for finding in heard))
        return list(problems)

    def check_invariants(self) -> None:
        """Raises AssertionError if the indices disagree with the units. For tests."""
        dependents: dict[Dependency, set[Key]] = {}
        owners: dict[Key, set[Key]] = {}
        produced: set[Key] = set()
        for key, unit in self._units.items():
            produced |= unit.entries.keys()
            for dependency in unit.depends:
                dependents.setdefault(dependency, set()).add(key)
            for shared in unit.refers:
                owners.setdefault(shared, set()).add(key)
        assert dependents == self._dependents.as_sets(), "dependents are out of step"
        assert owners == self._owners.as_sets(), "owners are out of step"
        assert {key for key in self._units if key[0] in _SHARED} == set(owners), "a shared unit is missing or left over"
        assert produced == set(self._state.entries()), "the state is not what the units produced"


def _moved(old: Unit, new: Unit) -> bool:
    """Whether what is wrong with the shared units that it refers to is now told otherwise."""
    return old.ref != new.ref or old.origin != new.origin or old.owners != new.owners


def _text(key: Key) -> str:
    return f"{key[0]}:{key[1]}"
