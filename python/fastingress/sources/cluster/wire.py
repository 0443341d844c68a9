"""Events of a watch, pages of a list, and versions of objects, taken from their bytes.

An object is never decoded here, only looked through for its version: what becomes of it is its taker's affair, and an
object that cannot be read must not keep those behind it from being seen.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
_END = "k8s.io/initial-events-end"

# What an API server sends begins so, letter by letter: then a line is gone through once and not twice.
_PREFIXES = tuple((kind, f'{{"type":"{kind}","object":'.encode()) for kind in (MODIFIED, ADDED, DELETED))


class Garbage(Exception):
    """Bytes that are not what they should be."""


class Event(NamedTuple):
    """One line of a watch."""

    type: str
    object: bytes | msgspec.Raw
    version: str
    """Empty when the object does not say."""


class Page(NamedTuple):
    """A part of a list."""

    items: list[msgspec.Raw]
    version: str
    """Of the list, from which a watch goes on."""
    rest: str
    """The token for the next page; empty at the end."""


class _Meta(msgspec.Struct, gc=False):
    resourceVersion: str = ""  # noqa: N815 - the field's name


class _Versioned(msgspec.Struct, gc=False):
    metadata: _Meta


class _Envelope(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - the field's name
    continue_: str | None = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Annotated(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Bookmark(msgspec.Struct):
    metadata: _Annotated


_versions = msgspec.json.Decoder(_Versioned)
_envelopes = msgspec.json.Decoder(_Envelope)
_lists = msgspec.json.Decoder(_List)
_bookmarks = msgspec.json.Decoder(_Bookmark)


def event_of(line: bytes) -> Event:
    """The event of a line. Raises Garbage for what is none, never for an object that is odd."""
    for kind, prefix in _PREFIXES:
        if line.startswith(prefix):
            item = line[len(prefix) : -1]
            version = version_of(item)
            if version:
                return Event(kind, item, version)
            break
    try:
        envelope = _envelopes.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbage(f"a line that is no event: {error}") from None
    return Event(envelope.type, envelope.object, version_of(envelope.object))


def unreadable_event_of(line: bytes) -> Event | None:
    """The same for a line that is garbage: with what stands where the object should, if that much is there."""
    for kind, prefix in _PREFIXES:
        if line.startswith(prefix):
            return Event(kind, line[len(prefix) : -1], "")
    return None


def page_of(body: bytes) -> Page:
    """A page of a list. Raises Garbage."""
    try:
        page = _lists.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbage(f"an answer that is no list: {error}") from None
    return Page(page.items or [], page.metadata.resourceVersion, page.metadata.continue_ or "")


def version_of(item: bytes | msgspec.Raw) -> str:
    """The version of an object; empty when it cannot be had."""
    try:
        return _versions.decode(item).metadata.resourceVersion
    except (msgspec.DecodeError, RecursionError):
        return ""


def ends_initial_events(bookmark: bytes | msgspec.Raw) -> bool:
    """Whether a bookmark says that a list that came as a stream is complete."""
    try:
        return (_bookmarks.decode(bookmark).metadata.annotations or {}).get(_END) == "true"
    except (msgspec.DecodeError, RecursionError):
        return False
