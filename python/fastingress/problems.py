"""What is wrong with an object, where it stands, and how it is named.

A problem is data: it is raised and cleared by whoever found it, and shown elsewhere (log, metric, Event, `check`). This
file only gives the words; it does not decide what a problem is and it does not show one.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

Severity = Literal["error", "warning"]

LONGEST_MESSAGE = 1_024
"""Bytes of UTF-8: what the note of an Event may have."""
LONGEST_WORD = 200
"""Characters that a name or a value takes in a message: words are theirs if they are longer."""
_LONGEST_NAME = 253
_WORD = re.compile(r"\S+")


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and its end with an ellipsis between them: at most that many characters."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 1]}…{text[-end:]}"


def bounded(message: str) -> str:
    """A message that is short enough to be shown anywhere, whatever an object put into it."""
    if len(message) <= LONGEST_WORD:
        return message
    message = _WORD.sub(lambda word: shortened(word[0], LONGEST_WORD), message)
    data = message.encode(errors="replace")
    if len(data) <= LONGEST_MESSAGE:
        return message
    end = LONGEST_MESSAGE // 4
    ellipsis = "…".encode()
    head = data[: LONGEST_MESSAGE - end - len(ellipsis)].decode(errors="ignore")
    return f"{head}…{data[-end:].decode(errors='ignore')}"


class Origin(Struct, frozen=True, gc=False):
    """Where a manifest was read: a document of a file."""

    path: str
    """The file, as the user named it (or the folder it is in)."""
    line: int
    """1-based line at which the document, or the error in it, begins."""
    index: int
    """0-based index of the document in its file; those without content do not count."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class ObjectRef(Struct, frozen=True, gc=False):
    """Names an object in a problem. The namespace is empty for kinds that are cluster-scoped."""

    kind: str
    namespace: str
    name: str
    uid: str = ""

    @classmethod
    def rough(cls, kind: str, namespace: str, name: str, uid: str) -> ObjectRef:
        """Of an object that nobody checked: what is longer than any name may be is cut, so it names no other object."""
        return cls(*(shortened(text, _LONGEST_NAME) for text in (kind, namespace, name, uid)))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Problem(Struct, frozen=True, gc=False):
    """Something wrong with an object, or with a file, to be shown to its owner."""

    code: str
    """A stable word in CamelCase, as in the reason of an Event: `InvalidField`, `DuplicateObject`."""
    severity: Severity
    """`error`: the object, or a part of it, does not serve. `warning`: it serves, but perhaps not as meant."""
    object: ObjectRef | None
    """The object it is about, if it is known so far."""
    message: str
    """What is wrong and, where it helps, what to do. Begins with the path of the field if there is one. Bounded."""
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if len(self.message) > LONGEST_WORD:
            force_setattr(self, "message", bounded(self.message))

    def __str__(self) -> str:
        where = f"{self.origin}: " if self.origin else ""
        what = f"{self.object}: " if self.object else ""
        return f"{where}{self.severity}: {what}{self.message} ({self.code})"
