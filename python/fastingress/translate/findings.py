"""What a unit of translation finds wrong, before it is known whose problem it is.

An endpoint set or a certificate is shared by many Ingresses: what is wrong with it becomes one problem of each of them.
A finding that names an object itself stays with that object.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from fastingress.problems import ObjectRef, Origin, Problem, Severity, bounded


class Owner(Struct, frozen=True, gc=False):
    """Who is told of a finding, and what it means to them."""

    ref: ObjectRef | None
    origin: Origin | None
    place: str = ""
    """What of the object leads to what is wrong; the message begins with it."""
    lost: str = "what is routed to it is answered 503"
    """What comes of it where nothing can be served."""
    has_requests: bool = True
    """False for one whose streams are not looked into."""


class Finding(Struct, frozen=True, gc=False):
    """A problem without its owner."""

    code: str
    severity: Severity
    message: str
    object: ObjectRef | None = None
    """The object it is about, when that is not the one that led here."""
    origin: Origin | None = None
    unserved: bool = False
    """Nothing that leads here can be served; the owner knows what that means."""
    of_requests: bool = False
    """It says something about requests, and nothing about streams that are not looked into."""

    def __post_init__(self) -> None:
        force_setattr(self, "message", bounded(self.message))

    def owned_by(self, owner: Owner) -> Problem:
        """The problem as `owner` sees it."""
        if self.object is not None:
            return Problem(self.code, self.severity, self.object, self.message, self.origin)
        place = f"{owner.place}: " if owner.place else ""
        lost = f"; {owner.lost}" if self.unserved else ""
        return Problem(self.code, self.severity, owner.ref, f"{place}{self.message}{lost}", owner.origin)


def error(code: str, message: str, *, unserved: bool = False) -> Finding:
    """Something does not serve."""
    return Finding(code, "error", message, unserved=unserved)


def warning(code: str, message: str, *, unserved: bool = False) -> Finding:
    """It serves, but perhaps not as meant."""
    return Finding(code, "warning", message, unserved=unserved)
