"""What a unit of translation finds wrong, before it is known whose problem it is.

An endpoint set or a certificate is shared by many Ingresses: what is wrong with it becomes one problem of each of them.
A finding that names an object itself stays with that object.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from fastingress.problems import ObjectRef, Origin, Problem, Severity, bounded


class Finding(Struct, frozen=True, gc=False):
    """A problem without its owner."""

    code: str
    severity: Severity
    message: str
    object: ObjectRef | None = None
    """The object it is about, when that is not the one that led here."""
    origin: Origin | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "message", bounded(self.message))

    def owned_by(self, owner: ObjectRef | None, origin: Origin | None) -> Problem:
        """The problem as `owner` sees it."""
        if self.object is not None:
            return Problem(self.code, self.severity, self.object, self.message, self.origin)
        return Problem(self.code, self.severity, owner, self.message, origin)


def error(code: str, message: str) -> Finding:
    """Something does not serve."""
    return Finding(code, "error", message)


def warning(code: str, message: str) -> Finding:
    """It serves, but perhaps not as meant."""
    return Finding(code, "warning", message)
