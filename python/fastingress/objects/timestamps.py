"""Times of objects as text: one form, so that comparing the text compares the times."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from fastingress.objects.conversion import FieldError

_CANONICAL = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ")


def canonical_timestamp(text: str) -> str:
    """RFC 3339 in UTC without fractions of a second, `2026-01-31T09:00:00Z`.

    Raises FieldError for anything that is not RFC 3339.
    """
    if _CANONICAL.fullmatch(text):
        return text
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise FieldError("metadata.creationTimestamp", f'Invalid value: "{text}": must be a time in RFC 3339 form')
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
