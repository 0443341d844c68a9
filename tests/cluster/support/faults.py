"""What can be done to a request instead of answering it well. Who does it is `fault_proxy`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Reset:
    """A RST in place of an answer."""


@dataclass(frozen=True)
class Stall:
    """No answer, ever; the connection stays open, also after the fault has ended."""


@dataclass(frozen=True)
class Delay:
    """The right answer, that many seconds late."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """This answer, without asking the API server."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Garbage:
    """Bytes that are not HTTP, and a close."""

    data: bytes = b"\x15\x03\x01\x00\x02\x02\x46 this is no HTTP\r\n\r\n"


@dataclass(frozen=True)
class NullItems:
    """The right list, but its items are null."""


@dataclass(frozen=True)
class CutBody:
    """The right answer, closed after that many bytes of its body; a clean end makes it look whole."""

    after: int
    clean: bool = False


Action = Reset | Stall | Delay | Answer | Garbage | NullItems | CutBody


def refusal(code: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """A failure as the API server words it."""
    return Answer(code, json.dumps(status_object(code, reason, message)).encode(), {**JSON, **(headers or {})})


def gone() -> Answer:
    """410 as the status of the answer."""
    return refusal(410, "Expired", "too old resource version: 1 (2)")


def gone_in_stream() -> Answer:
    """410 as an event: the watch begins well and says so in its first line."""
    return Answer(200, error_line(), JSON)


def unprocessable() -> Answer:
    """422: what a server says that knows no streaming lists."""
    message = 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden'
    return refusal(422, "Invalid", message)


def too_many(retry_after: int) -> Answer:
    """429 with Retry-After, in seconds."""
    message = "too many requests, please try again later"
    return refusal(429, "TooManyRequests", message, {"Retry-After": str(retry_after)})


def gateway_timeout() -> Answer:
    """504: the version asked for is too new for this replica of the API server."""
    return refusal(504, "Timeout", "Too large resource version: 2, current: 1")


def server_error() -> Answer:
    """500."""
    return refusal(500, "InternalError", "etcdserver: leader changed")


def unavailable() -> Answer:
    """503, as a load balancer says it: not JSON."""
    return Answer(503, b"<html><body>no server is available</body></html>\n", {"Content-Type": "text/html"})


def forbidden() -> Answer:
    """403."""
    return refusal(403, "Forbidden", "is forbidden: a test says so")


def unauthorized() -> Answer:
    """401."""
    return refusal(401, "Unauthorized", "Unauthorized")


def status_object(code: int, reason: str, message: str) -> dict[str, object]:
    """The Status of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def error_line(code: int = 410, reason: str = "Expired", message: str = "too old resource version: 1 (2)") -> bytes:
    """A line of a watch that says what is wrong with it."""
    return json.dumps({"type": "ERROR", "object": status_object(code, reason, message)}).encode() + b"\n"
