"""The text of one YAML document into plain data: libyaml parses, the meaning of scalars is decided here.

Scalars follow the core schema of YAML 1.2 (section 10.3.2), so `on`, `yes`, `22:22` and dates are text. Keys are always
text. Merge keys work, for manifests in the wild have them. Everything that can grow is bounded: nesting, because
libyaml's binding recurses on the C stack, and aliases, because they can repeat themselves without end.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

MOST_NESTED = 100
MOST_REPEATED = 10_000
"""Nodes that the aliases of one document may add to it."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC = frozenset("0123456789+-.")
_MOST_DIGITS = 400
_DEEP_INDENT = re.compile(rf"^[ \t?:-]{{{2 * MOST_NESTED}}}", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"


class DocumentError(Exception):
    """A document cannot be read. `line` is the 0-based line in its text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Document(NamedTuple):
    """Plain data, and where the items of a top-level `items` list begin, as 0-based lines of the text."""

    data: Any
    item_lines: tuple[int, ...]


class _Parser(CParser):
    """Composes nodes and leaves them unresolved: a tag is None unless the text states one."""

    def resolve(self, kind: object, value: object, implicit: object) -> None:
        return None

    def descend_resolver(self, parent: object, index: object) -> None:
        return None

    def ascend_resolver(self) -> None:
        return None


def parse(text: str) -> Document:
    """Raises DocumentError."""
    try:
        _refuse_deep_nesting(text)
        root = _Parser(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(message or "not YAML", mark.line if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n")
        raise DocumentError(f"{error.reason}: character {error.character:#x}", line) from None
    if root is None:
        return Document(None, ())
    careful = "<<" in text or ("&" in text and "*" in text)
    data = _Builder().value(root) if careful else _value(root)
    return Document(data, _item_lines(root))


def _refuse_deep_nesting(text: str) -> None:
    """Looks closer only at texts that could nest too deeply."""
    if text.count("[") + text.count("{") < MOST_NESTED and not _DEEP_INDENT.search(text):
        return
    events = _Parser(text)
    depth = 0
    while (event := events.get_event()) is not None:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_NESTED:
                line = event.start_mark.line if event.start_mark else 0
                raise DocumentError(f"nested more than {MOST_NESTED} levels deep", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(node: Any) -> Any:
    """The data of a node in whose document nothing repeats and nothing merges."""
    kind = node.__class__
    if kind is ScalarNode:
        return _scalar(node)
    if kind is SequenceNode:
        return [_value(item) for item in node.value]
    result = {(_key(key) if key.__class__ is not ScalarNode else key.value): _value(item) for key, item in node.value}
    if len(result) != len(node.value):
        raise _duplicate_key(node)
    return result


class _Builder:
    """Builds data from a document that has anchors, aliases or merge keys, and counts what they repeat."""

    def __init__(self) -> None:
        self._built: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._repeated = 0

    def value(self, node: Any) -> Any:
        return self._build(node)[0]

    def _build(self, node: Any) -> tuple[Any, int]:
        """The data and how many nodes it has, those of its aliases included."""
        if node.__class__ is ScalarNode:
            return _scalar(node), 1
        identity = id(node)
        if identity in self._built:
            self._repeat(self._built[identity][1], node)
            return self._built[identity]
        if identity in self._open:
            raise DocumentError("an alias contains itself", node.start_mark.line)
        self._open.add(identity)
        built = self._sequence(node) if node.__class__ is SequenceNode else self._mapping(node)
        self._open.discard(identity)
        self._built[identity] = built
        return built

    def _repeat(self, size: int, node: Any) -> None:
        self._repeated += size
        if size > MOST_REPEATED or self._repeated > MOST_REPEATED:
            raise DocumentError(f"aliases repeat more than {MOST_REPEATED} nodes", node.start_mark.line)

    def _sequence(self, node: Any) -> tuple[Any, int]:
        parts = [self._build(item) for item in node.value]
        return [data for data, _ in parts], 1 + sum(size for _, size in parts)

    def _mapping(self, node: Any) -> tuple[Any, int]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        total = 1
        merges = 0
        for key, item in node.value:
            data, size = self._build(item)
            total += size
            if key.__class__ is ScalarNode and key.value == "<<" and not key.style:
                merges += 1
                for source in data if isinstance(data, list) else [data]:
                    if not isinstance(source, dict):
                        raise DocumentError("a merge key needs a mapping", key.start_mark.line)
                    merged = {**source, **merged}
            else:
                own[_key(key)] = data
        if len(own) + merges != len(node.value):
            raise _duplicate_key(node)
        return {**merged, **own}, total


def _key(node: Any) -> str:
    if node.__class__ is not ScalarNode:
        raise DocumentError("a key must be text", node.start_mark.line)
    return str(node.value)


def _duplicate_key(node: Any) -> DocumentError:
    seen: set[str] = set()
    for key, _ in node.value:
        name = _key(key)
        if name in seen:
            return DocumentError(f'duplicate key "{name}"', key.start_mark.line)
        seen.add(name)
    return DocumentError("duplicate key", node.start_mark.line)


def _scalar(node: Any) -> Any:
    text: str = node.value
    if node.tag is not None:
        return _tagged(node.tag, text, node)
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    return _number(text)


def _number(text: str) -> Any:
    if len(text) > _MOST_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return float("nan") if text in (".nan", ".NaN", ".NAN") else text


def _tagged(tag: str, text: str, node: Any) -> Any:
    """What an explicit tag asks for. One that is not of YAML itself says nothing to us: text."""
    short = tag.removeprefix(_TAG)
    if short not in ("int", "float", "bool", "null"):
        return text
    value: Any = _WORDS[text] if text in _WORDS else _number(text)
    if short == "float" and value.__class__ is int:
        return float(value)
    if value.__class__ is not {"int": int, "float": float, "bool": bool, "null": type(None)}[short]:
        raise DocumentError(f"not of type {short}", node.start_mark.line)
    return value


def _item_lines(root: Any) -> tuple[int, ...]:
    if root.__class__ is not MappingNode:
        return ()
    for key, value in root.value:
        if key.__class__ is ScalarNode and key.value == "items" and value.__class__ is SequenceNode:
            return tuple(item.start_mark.line for item in value.value)
    return ()
