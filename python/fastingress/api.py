"""The API of a cluster as its users see it: one call, and the two ways in which it fails.

Who speaks to a cluster takes a `Calls` and knows nothing of the client behind it, which is `sources.cluster`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

Query = Mapping[str, str] | Sequence[tuple[str, str]]

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
"""The type of a server-side apply; JSON is YAML."""
MERGE = "application/merge-patch+json"

NOT_FOUND, CONFLICT, FORBIDDEN, UNAUTHORIZED, GONE = 404, 409, 403, 401, 410


class ApiError(Exception):
    """The API server answered, and not with success. What it said is in the fields; the text says all in one line."""

    def __init__(
        self,
        verb: str,
        path: str,
        status: int,
        *,
        reason: str = "",
        message: str = "",
        retry_after: float | None = None,
        conflicts: Sequence[str] = (),
    ) -> None:
        """`reason` and `message` are those of the `Status` in the body; `retry_after` is in seconds."""
        said = message or reason or "no reason given"
        super().__init__(f"{verb} {path}: {status}: {said}")
        self.verb = verb
        """The HTTP method, in capitals."""
        self.path = path
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.conflicts = tuple(conflicts)
        """The other managers of the fields of a server-side apply, of a 409; as the server words them."""


class Unreachable(Exception):
    """No answer: refused, reset, timed out, cut short, or not HTTP. The text names verb, path and cause."""


class Calls(Protocol):
    """Calls the API."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        """The body of the answer. `body` is plain data; `timeout` is in seconds, for all of it.

        Raises `ApiError` and `Unreachable`.
        """
        ...
