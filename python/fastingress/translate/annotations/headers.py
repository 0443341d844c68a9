"""Edits of request and response headers.

A value of `-set` and `-add` is one `Name: value` per line, so a value may hold commas; of `-remove` it is names between
commas or line ends:

    fastingress.io/response-headers-set: |
      X-Frame-Options: DENY
      Cache-Control: no-store, private

Headers that frame or route a message, or belong to one hop, are refused: the proxy owns them.
"""

from __future__ import annotations

import re

from fastingress.model import HeaderEdits
from fastingress.translate.annotations.declare import Annotation, Draft, Family, ValueType
from fastingress.translate.annotations.values import csv

Headers = tuple[tuple[str, str], ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PER_HOP = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FRAMING = frozenset({"content-length", "expect"})
_LONGEST_NAME, _LONGEST_VALUE = 256, 8192
_MOST_HEADERS = 64
"""Of one annotation: they have to fit into a message head, beside all others."""


def _names(text: str) -> tuple[str, ...]:
    names = csv(text)
    if not names:
        raise ValueError("names no header")
    return tuple(dict.fromkeys(_name(item) for item in _few(names)))


def _added(text: str) -> Headers:
    return tuple(_header(line) for line in _few([line for line in text.split("\n") if line.strip()]))


def _few(items: list[str]) -> list[str]:
    if len(items) > _MOST_HEADERS:
        raise ValueError(f"has more than {_MOST_HEADERS} headers")
    return items


def _set(text: str) -> Headers:
    headers = _added(text)
    names = [name for name, _ in headers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"sets {name} twice")
    return headers


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"line {line.strip()!r} is not `Name: value`")
    value = value.strip(" \t\r")
    if _BAD_IN_VALUE.search(value):
        raise ValueError(f"the value of {name.strip()} has control characters in it")
    if len(value.encode()) > _LONGEST_VALUE:
        raise ValueError(f"the value of {name.strip()} is longer than {_LONGEST_VALUE} bytes")
    return _name(name.strip()), value


def _name(text: str) -> str:
    if not _TOKEN.fullmatch(text) or len(text) > _LONGEST_NAME:
        raise ValueError(f"{text!r} is not a header name")
    name = text.lower()
    if name in _PER_HOP:
        raise ValueError(f"{text} belongs to a single hop, the proxy sets it")
    if name in _FRAMING:
        raise ValueError(f"{text} frames the message, the proxy sets it")
    if name == "host":
        raise ValueError("Host cannot be edited here, use upstream-vhost")
    return name


HEADER_LINES = ValueType("lines `Name: value`", "X-Env: prod", _added)
SET_LINES = ValueType("lines `Name: value`", "X-Env: prod", _set)
HEADER_NAMES = ValueType("list of header names", "X-Secret, X-Debug", _names)

# Edits of requests guard backends (a removed header cannot be spoofed): a bad value of theirs closes the routes.
REQUEST_SET = Annotation(
    "request-headers-set", SET_LINES, "Request headers that get exactly this value.", scope="path", risk="high"
)
REQUEST_ADD = Annotation(
    "request-headers-add", HEADER_LINES, "Request headers added beside those there are.", scope="path", risk="high"
)
REQUEST_REMOVE = Annotation(
    "request-headers-remove",
    HEADER_NAMES,
    "Request headers that are taken out, before any is set or added.",
    scope="path",
    risk="high",
)
RESPONSE_SET = Annotation(
    "response-headers-set", SET_LINES, "Response headers that get exactly this value.", scope="path", risk="medium"
)
RESPONSE_ADD = Annotation(
    "response-headers-add", HEADER_LINES, "Response headers added beside those there are.", scope="path", risk="medium"
)
RESPONSE_REMOVE = Annotation(
    "response-headers-remove",
    HEADER_NAMES,
    "Response headers that are taken out, before any is set or added.",
    scope="path",
    risk="medium",
)


def _combine(draft: Draft) -> None:
    values = draft.values
    request = HeaderEdits(
        values.get(REQUEST_REMOVE) or (), values.get(REQUEST_SET) or (), values.get(REQUEST_ADD) or ()
    )
    response = HeaderEdits(
        values.get(RESPONSE_REMOVE) or (), values.get(RESPONSE_SET) or (), values.get(RESPONSE_ADD) or ()
    )
    draft.policy.update(request_headers=request, response_headers=response)


FAMILY = Family(
    "Headers",
    (REQUEST_SET, REQUEST_ADD, REQUEST_REMOVE, RESPONSE_SET, RESPONSE_ADD, RESPONSE_REMOVE),
    _combine,
)
