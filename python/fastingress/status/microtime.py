"""The time on the wall as the API writes a `MicroTime`. For readers alone: nothing here decides by it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micro_time(wall: float) -> str:
    """`wall` is in seconds since 1970. RFC 3339 in UTC with microseconds."""
    return (_EPOCH + timedelta(seconds=wall)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
