"""What an answer of the API server means to who writes: try again, give up, or who is in the way."""

from __future__ import annotations

import re

from fastingress.api import UNAUTHORIZED, ApiError
from fastingress.status.pacing import TOO_MANY

_SERVER_ERROR = 500
_INVALID = 422
_OWNER = re.compile(r'conflicts? with "((?:[^"\\]|\\.)*)"')


def is_transient(error: ApiError) -> bool:
    """It may work the next time."""
    return error.status >= _SERVER_ERROR or error.status in (TOO_MANY, UNAUTHORIZED)


def is_invalid(error: ApiError) -> bool:
    """The object is not as it may be."""
    return error.status == _INVALID


def is_another_object(error: ApiError) -> bool:
    """The object of that name has another uid than the one that was written to."""
    return error.status == _INVALID and "metadata.uid" in error.message


def owner_named(error: ApiError) -> str:
    """The first manager that owns what was applied, empty when the conflict is none of owners."""
    for said in (*error.conflicts, error.message):
        found = _OWNER.search(said)
        if found:
            return found[1].replace('\\"', '"')
    return error.conflicts[0] if error.conflicts else ""
