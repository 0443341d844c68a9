"""What keeps a collection from being followed, in words that name what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastingress.api import FORBIDDEN, UNAUTHORIZED, ApiError, Unreachable
from fastingress.sources.cluster.collection import Collection

State = Literal["denied", "unreachable", "failing"]
"""`denied`: we may not (401, 403). `unreachable`: there is no answer. `failing`: there are, but none that serves."""


@dataclass(frozen=True)
class Trouble:
    """Why a collection is not followed at the moment."""

    state: State
    verb: str
    """`list`, `watch`, `get`."""
    resource: str
    namespace: str
    """Empty: all."""
    message: str
    status: int = 0
    """Of the answer; 0 when there was none."""


def trouble_of(error: Exception, verb: str, collection: Collection) -> Trouble:
    """The trouble that a failed try means."""
    state: State = "failing"
    status = error.status if isinstance(error, ApiError) else 0
    what = f"cannot {verb} {collection}"
    if status in (FORBIDDEN, UNAUTHORIZED):
        state, what = "denied", f"not allowed to {verb} {collection}"
    elif isinstance(error, Unreachable):
        state = "unreachable"
    said = f"{status}: {error.message or error.reason}" if isinstance(error, ApiError) else str(error)
    return Trouble(state, verb, collection.resource, collection.namespace, f"{what}: {said}", status)
