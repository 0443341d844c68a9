"""Times of objects as text: one form, so that comparing the text compares the times."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from fastingress.objects.conversion import FieldError

_CANONICAL = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z")


def canonical_timestamp(text: str) -> str:
    """RFC 3339 in UTC without fractions of a second, `2026-01-31T09:00:00Z`.

    Raises FieldError for anything that is not RFC 3339, and for a time that in UTC is not in the years 1 to 9999.
    """
    if _CANONICAL.fullmatch(text):
        return text
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _invalid(text, "must be a time in RFC 3339 form")
    try:
        utc = time.astimezone(timezone.utc)
    except OverflowError:
        raise _invalid(text, "must be in the years 1 to 9999 in UTC") from None
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _invalid(text: str, why: str) -> FieldError:
    return FieldError("metadata.creationTimestamp", f'Invalid value: "{text}": {why}')
