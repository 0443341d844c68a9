"""What an answer that is no success says, and what went wrong when there was none: in our words.

The API server sends a `Status`; what stands between it and us may send anything.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping

import msgspec

from fastingress.api import ApiError, Unreachable

_LONGEST_TEXT = 200
_LONGEST_WAIT = 60.0


class Refused(Unreachable):
    """There was no connection: refused, no such host, no route, no TLS."""


class Untrusted(Refused):
    """The certificate of the server, or ours, was refused."""


class Silent(Unreachable):
    """There was a connection, and nothing came on it for too long."""


class _Cause(msgspec.Struct):
    reason: str | None = ""
    message: str | None = ""


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: float | None = None
    causes: list[_Cause] | None = None


class Status(msgspec.Struct):
    """The `Status` of meta/v1, as far as it is read."""

    message: str | None = ""
    reason: str | None = ""
    code: int | None = 0
    details: _Details | None = None


_decoder = msgspec.json.Decoder(Status)


def error_of(verb: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error of an answer; `status` 0 takes the one in the body, as that of an event in a stream."""
    try:
        said = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        said = Status(message=_text(body))
    details = said.details or _Details()
    after = _seconds(headers.get("Retry-After")) or details.retry_after_seconds
    return ApiError(
        verb,
        path,
        status or said.code or 500,
        reason=said.reason or "",
        message=said.message or "",
        retry_after=None if after is None else min(after, _LONGEST_WAIT),
        conflicts=[cause.message or "" for cause in details.causes or () if cause.reason == "FieldManagerConflict"],
    )


def cause_of(error: BaseException) -> str:
    """Why there was no answer, or not all of it."""
    import aiohttp

    if isinstance(error, aiohttp.ClientPayloadError):
        return "it is cut short or garbled"
    if isinstance(error, aiohttp.ClientResponseError):
        return _text(
            f"it is not HTTP as it should be: {error.message or type(error).__name__}".encode(errors="replace")
        )
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error.__cause__ or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inner.verify_message}"
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and inner.errno and not isinstance(inner, socket.gaierror | ssl.SSLError):
        return os.strerror(inner.errno)
    return _text((str(inner) or type(inner).__name__).encode(errors="replace"))


def _text(body: bytes) -> str:
    """The beginning of what may be a page, or anything else, on one line."""
    text = " ".join(body[: 4 * _LONGEST_TEXT].decode(errors="replace").split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _seconds(header: str | None) -> float | None:
    """The form with a date is not used by API servers."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
