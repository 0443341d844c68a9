"""What is wrong with an object, where it stands, and how it is named.

A problem is data: it is raised and cleared by whoever found it, and shown elsewhere (log, metric, Event, `check`). This
file only gives the words; it does not decide what a problem is and it does not show one.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


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
    """What is wrong and, where it helps, what to do. Begins with the path of the field if there is one."""
    origin: Origin | None = None

    def __str__(self) -> str:
        where = f"{self.origin}: " if self.origin else ""
        what = f"{self.object}: " if self.object else ""
        return f"{where}{self.severity}: {what}{self.message} ({self.code})"
