"""An index from one key to several, for tens of thousands of keys of which nearly all have one member.

A member that is alone stands for itself, without a set around it: an empty set is larger than the key and its member.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

At = TypeVar("At", bound=Hashable)
Member = TypeVar("Member", bound=Hashable)


class Members(Generic[At, Member]):
    """Sets by key; a key without members is not there. Members are not sets themselves."""

    def __init__(self) -> None:
        self._index: dict[At, Member | set[Member]] = {}

    def __contains__(self, at: At) -> bool:
        return at in self._index

    def __iter__(self) -> Iterator[At]:
        return iter(self._index)

    def of(self, at: At) -> AbstractSet[Member]:
        """The members there. Not to be kept."""
        found = self._index.get(at)
        if found is None:
            return frozenset()
        return found if isinstance(found, set) else frozenset((found,))

    def add(self, at: At, member: Member) -> None:
        """One more; nothing happens when it is there."""
        found = self._index.setdefault(at, member)
        if isinstance(found, set):
            found.add(member)
        elif found != member:
            self._index[at] = {found, member}

    def discard(self, at: At, member: Member) -> None:
        """One less. Raises `KeyError` when there is nothing at all."""
        found = self._index[at]
        if isinstance(found, set):
            found.discard(member)
            if len(found) == 1:
                self._index[at] = found.pop()
        elif found == member:
            del self._index[at]

    def as_sets(self) -> dict[At, set[Member]]:
        """A copy as plain sets. For tests."""
        return {at: set(self.of(at)) for at in self._index}
