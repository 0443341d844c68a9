"""The content of a file into objects and problems, parsing only the documents whose text is new.

Knows nothing of other files. What a document says is kept apart from where it stands, so a document that moves to
another line is not parsed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from fastingress.objects import Object, ObjectKey, decode, items_of, manifest_uid
from fastingress.problems import ObjectRef, Origin, Problem
from fastingress.sources.manifests import json_text, yaml_text
from fastingress.sources.manifests.splitting import Chunk, split

_NOWHERE = Origin("", 0, 0)


class Entry(NamedTuple):
    """What came of one object of a document, or of a document that is not an object."""

    object: Object | None
    problems: tuple[Problem, ...]
    line: int
    """0-based line in the document."""


class Parsed(NamedTuple):
    """What a document says, wherever it stands."""

    entries: tuple[Entry, ...]
    broken: bool
    """It could not be parsed, so there is no telling which objects it meant."""


class Placed(NamedTuple):
    """An entry and the object as it stands in its file."""

    entry: Entry
    object: Object


class FileContent(NamedTuple):
    """What a file says."""

    digest: bytes
    documents: dict[bytes, Parsed]
    placed: dict[str, Placed]
    """By place."""
    refused: frozenset[ObjectKey]
    """Objects that are in the file but were refused."""
    broken: bool
    """Some of it could not be parsed."""
    problems: list[Problem]
    parsed: int
    """How many documents were parsed for this."""


def read_content(data: bytes, path: str, place: str, before: FileContent | None) -> FileContent:
    """`path` is the file as the user named it, `place` sorts it among the files; `before` is what it said last."""
    digest = blake2b(data, digest_size=16).digest()
    if before is not None and before.digest == digest:
        return before._replace(parsed=0)
    reader = _Reader(path, place, before)
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        problem = Problem("InvalidEncoding", "error", None, f"not UTF-8: {error.reason}", Origin(path, line, 0))
        return FileContent(digest, {}, {}, frozenset(), True, [problem], 0)
    as_json = path.lower().endswith(".json")
    for index, chunk in enumerate([Chunk(text, 1)] if as_json and text.strip() else split(text)):
        reader.take(chunk, index, as_json)
    return reader.content(digest)


class _Reader:
    """Collects what the documents of one file say."""

    def __init__(self, path: str, place: str, before: FileContent | None) -> None:
        self._path = path
        self._place = place
        self._known = before.documents if before else {}
        self._stood = before.placed if before else {}
        self._documents: dict[bytes, Parsed] = {}
        self._placed: dict[str, Placed] = {}
        self._refused: set[ObjectKey] = set()
        self._problems: list[Problem] = []
        self._broken = False
        self._parsed = 0

    def take(self, chunk: Chunk, index: int, as_json: bool) -> None:
        digest = blake2b(chunk.text.encode(), digest_size=16).digest()
        parsed = self._documents.get(digest) or self._known.get(digest)
        if parsed is None:
            parsed = _parse(chunk.text, as_json)
            self._parsed += 1
        self._documents[digest] = parsed
        self._broken |= parsed.broken
        for number, entry in enumerate(parsed.entries):
            place = f"{self._place}#{index:06}" + (f".{number:06}" if len(parsed.entries) > 1 else "")
            self._stand(entry, Origin(self._path, chunk.line + entry.line, index), place)

    def _stand(self, entry: Entry, origin: Origin, place: str) -> None:
        for problem in entry.problems:
            self._problems.append(msgspec.structs.replace(problem, origin=origin))
            if entry.object is None and problem.object is not None and problem.severity == "error":
                ref = problem.object
                self._refused.add(ObjectKey(ref.kind, ref.namespace, ref.name))
        if entry.object is None:
            return
        stood = self._stood.get(place)
        if stood is not None and stood.entry is entry and stood.object.origin == origin:
            self._placed[place] = stood
            return
        uid = manifest_uid(*entry.object.key)
        self._placed[place] = Placed(entry, entry.object.placed(origin, place, uid))

    def content(self, digest: bytes) -> FileContent:
        refused = frozenset(self._refused)
        return FileContent(digest, self._documents, self._placed, refused, self._broken, self._problems, self._parsed)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _parse(text: str, as_json: bool) -> Parsed:
    """A document that cannot be read for a mistake of ours is a problem of that document alone."""
    try:
        return _parse_document(text, as_json)
    except Exception as error:  # one document must not end the process
        message = f"cannot be read for a mistake in fastingress, please report it: {type(error).__name__}: {error}"
        return Parsed((Entry(None, (Problem("InternalError", "error", None, message),), 0),), True)


def _parse_document(text: str, as_json: bool) -> Parsed:
    try:
        document = json_text.parse(text) if as_json else yaml_text.parse(text)
    except yaml_text.DocumentError as error:
        kind = "JSON" if as_json else "YAML"
        problem = Problem("InvalidYAML" if kind == "YAML" else "InvalidJSON", "error", None, f"not {kind}: {error}")
        return Parsed((Entry(None, (problem,), error.line),), True)
    return Parsed(tuple(_entries(document)), False)


def _entries(document: yaml_text.Document) -> Iterator[Entry]:
    if document.data is None:
        return
    items = items_of(document.data) if isinstance(document.data, dict) else None
    if items is None:
        yield _entry(document.data, 0, "")
        return
    for index, item in enumerate(items):
        line = document.item_lines[index] if index < len(document.item_lines) else 0
        yield _entry(item, line, f"items[{index}]: ")


def _entry(raw: Any, line: int, within: str) -> Entry:
    if not isinstance(raw, Mapping):
        message = f"{within}not a Kubernetes object: expected a map, got {_kind_of(raw)}"
        return Entry(None, (Problem("InvalidObject", "error", None, message),), line)
    decoded = decode(raw, _NOWHERE)
    problems = tuple(_about_manifest(problem, within) for problem in decoded.problems)
    return Entry(decoded.object, problems, line)


def _about_manifest(problem: Problem, within: str) -> Problem:
    """With the uid that manifests have: one in the document may be a copy of another's."""
    ref = problem.object
    if ref is not None:
        ref = ObjectRef(ref.kind, ref.namespace, ref.name, manifest_uid(ref.kind, ref.namespace, ref.name))
    return msgspec.structs.replace(problem, object=ref, message=within + problem.message)


def _kind_of(raw: Any) -> str:
    if isinstance(raw, list):
        return "a list"
    return "nothing" if raw is None else "plain text" if isinstance(raw, str) else "a plain value"
