"""Takes in what one reflector sees, and says what of it is news.

It remembers which objects the API server has, by name and version: so it knows what is gone after a new list, and does
not decode again what it has seen already. An object that cannot be read is a problem of that object; what was last
read of it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from fastingress.api import FORBIDDEN, NOT_FOUND
from fastingress.objects import ObjectKey, decode_json
from fastingress.problems import Problem
from fastingress.sources.cluster.collection import Collection
from fastingress.sources.cluster.kinds import Row
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.trouble import Trouble
from fastingress.sources.cluster.words import denial, part_of, place_of

if TYPE_CHECKING:
    from fastingress.sources.cluster.reflector import Reflector

Key = tuple[str, str]
"""Namespace, empty for kinds that are cluster-scoped, and name."""


class _Metadata(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""


class _Named(msgspec.Struct, gc=False):
    metadata: _Metadata


_NAMED = msgspec.json.Decoder(_Named)


def key_of(raw: bytes | msgspec.Raw) -> Key:
    """What names an object; all the rest is skipped. Raises `MsgspecError`."""
    metadata = _NAMED.decode(raw).metadata
    return metadata.namespace, metadata.name


class Feed:
    """The sink of one reflector: one kind, in all namespaces or in one, or with a `name` one object of it.

    `keep` says which objects are not to be dropped when the feed ends, since others follow them as well. `seen` is
    called with the name of an object that came (True) or went.
    """

    def __init__(
        self,
        row: Row,
        namespace: str,
        outbox: Outbox,
        *,
        name: str = "",
        keep: Callable[[ObjectKey], bool] = lambda key: False,
        seen: Callable[[str, bool], None] = lambda name, there: None,
    ) -> None:
        self.row = row
        self.namespace = namespace
        self.name = name
        self.part = part_of(row, namespace, name)
        self.is_synced = False
        """Whether a list was complete, ever."""
        self.allowed: Callable[[], None] = lambda: None
        """Called when it may be seen that could not be."""
        self._outbox = outbox
        self._keep = keep
        self._seen = seen
        self._held: dict[Key, str] = {}
        self._unseen: set[Key] | None = None
        """While a list is under way: what was there before and has not come again."""
        self._accused: dict[Key, list[Problem]] = {}
        """Objects that something is wrong with."""
        self._trouble: Trouble | None = None
        self._unreadable: Problem | None = None
        self._missing: tuple[str, ...] = ()
        self._is_asked_again = False
        """The refusal that is known may be out of date."""
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    @property
    def settled(self) -> bool:
        """Whether the start need not wait for it: all is there, or may not be seen and is not required."""
        trouble = self._trouble
        refused = trouble is not None and trouble.status in (FORBIDDEN, NOT_FOUND) and not self._is_asked_again
        return self.is_synced or (refused and not self.row.required)

    @property
    def is_denied(self) -> bool:
        """Whether it may not be seen, as far as is known."""
        return self._trouble is not None and self._trouble.status == FORBIDDEN

    def ask_again(self) -> None:
        """It may be allowed by now: the start waits for the next answer."""
        self._is_asked_again = True

    @property
    def collection(self) -> Collection:
        """What is to be followed for it."""
        row = self.row
        return Collection(kind=row.kind, path=row.path(self.namespace), namespace=self.namespace, name=self.name)

    def reason(self) -> str:
        """Why it has not settled yet."""
        if self._trouble is None:
            return f"{self._place()}: not listed yet"
        if self._trouble.status == FORBIDDEN:
            return self._problem(self._trouble).message
        return self._trouble.message

    def began(self, reflector: Reflector) -> None:
        """A list starts."""
        self._unseen = set(self._held)
        self._unreadable = None

    def item(self, raw: bytes | msgspec.Raw, version: str) -> None:
        """An object is there, and looks like this."""
        if self._has_ended:
            return
        if self._unseen is None or not self.is_synced:
            self._take(raw, version)
            return
        key = self._key(raw)
        if key is None:
            return
        if version and self._held.get(key) == version:
            self._unseen.discard(key)
        else:
            self._take(raw, version)

    def gone(self, raw: bytes | msgspec.Raw) -> None:
        """An object is not there any more."""
        key = None if self._has_ended else self._key(raw)
        if key is not None:
            self._drop(key)

    def synced(self, reflector: Reflector) -> None:
        """A list is complete."""
        if self._has_ended:
            return
        if self._unreadable is None:  # else one of those not seen may be the one that could not be read
            for key in self._unseen or ():
                self._drop(key)
        self._unseen = None
        self.is_synced, self._is_asked_again = True, False
        self._state()
        self._outbox.stirred()

    def trouble(self, reflector: Reflector, problem: Trouble | None) -> None:
        """What is wrong with the reflector; None when it works again.

        That the server cannot be reached is no problem of each feed: the heartbeat finds it out for all of them.
        """
        if self._has_ended:
            return
        was_denied, self._trouble, self._is_asked_again = self.is_denied, problem, False
        self._state()
        self._outbox.stirred()
        if was_denied and problem is None:
            self.allowed()

    def accuse(self, key: Key, problems: list[Problem]) -> None:
        """All that is wrong with one object now."""
        if problems:
            self._accused[key] = problems
        elif self._accused.pop(key, None) is None:
            return
        if self.name:
            self._state()
        else:
            self._outbox.state(part_of(self.row, *key), problems)

    def lacks(self, verbs: tuple[str, ...]) -> None:
        """Which permissions are missing; a refusal alone tells of the first one that was tried."""
        if verbs != self._missing:
            self._missing = verbs
            self._state()

    def end(self) -> None:
        """It is not followed any more: all that it knew goes, and what its reflector may still say does not count."""
        self._has_ended = True
        for key in list(self._held):
            self._drop(key, ending=True)
        self._trouble = self._unreadable = None
        self._state()

    def _take(self, raw: bytes | msgspec.Raw, version: str) -> None:
        item, problems = decode_json(raw, self.row.kind)
        key = (item.metadata.namespace, item.metadata.name) if item is not None else self._key(raw)
        if key is None:
            return
        self._note(key, version)
        self.accuse(key, problems)
        if item is not None:
            self._outbox.upsert(item)

    def _note(self, key: Key, version: str) -> None:
        """The object is there."""
        if self._unseen:
            self._unseen.discard(key)
        if key not in self._held:
            self._seen(key[1], True)
        self._held[key] = version

    def _drop(self, key: Key, *, ending: bool = False) -> None:
        if self._held.pop(key, None) is None:
            return
        self.accuse(key, [])
        if self._is_passed_on(key) and not (ending and self._keep(ObjectKey(self.row.kind, *key))):
            self._outbox.delete(ObjectKey(self.row.kind, *key))
        self._seen(key[1], False)

    def _is_passed_on(self, key: Key) -> bool:
        """Whether the consumer knows of such an object."""
        return True

    def _key(self, raw: bytes | msgspec.Raw) -> Key | None:
        try:
            return key_of(raw)
        except msgspec.MsgspecError as error:
            message = f"{self._place()}: an object that cannot be read, and has no name: {error}"
            self._unreadable = Problem("InvalidObject", "error", None, message)
            self._state()
            return None

    def _place(self) -> str:
        return place_of(self.row, self.namespace, [self.name] if self.name else [])

    def _problem(self, trouble: Trouble) -> Problem:
        if trouble.status == FORBIDDEN:
            return denial(self.row, self._missing or (trouble.verb,), self.namespace, [self.name] if self.name else [])
        return Problem("NotFollowed", "error" if self.row.required else "warning", None, trouble.message)

    def _state(self) -> None:
        problems = [self._unreadable] if self._unreadable else []
        if self._trouble is not None and self._trouble.state != "unreachable":
            problems.append(self._problem(self._trouble))
        if self.name:
            problems += (problem for found in self._accused.values() for problem in found)
        self._outbox.state(self.part, problems)
