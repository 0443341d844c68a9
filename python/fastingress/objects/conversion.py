"""Plain data into a Struct, with errors that read like the API server's: path of the field first.

Like Go's decoder, null means "not given". Data without nulls, which is nearly all, pays nothing for that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*) - at (?P<key>`key` in )?`\$\.?(?P<path>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_EXPECTED = re.compile(r"Expected `(?P<want>.*)`, got `(?P<got>.*)`")
_ENUM = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_WORDS = {"str": "string", "int": "integer", "array": "list", "object": "map", "bytes": "string", "bool": "boolean"}
_ENUMS = {
    "pathType": ("Exact", "ImplementationSpecific", "Prefix"),
    "protocol": ("SCTP", "TCP", "UDP"),
    "type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "addressType": ("FQDN", "IPv4", "IPv6"),
    "scope": ("Cluster", "Namespace"),
}
_STRING_MAPS = ("annotations", "labels", "data", "stringData")
_DEEPEST = 32


class FieldError(ValueError):
    """A field is not as it must be."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)


def convert(raw: Mapping[str, Any], target: type[T]) -> T:
    """Raises FieldError for the first thing that is not as the type says."""
    try:
        return msgspec.convert(raw, target)
    except msgspec.ValidationError:
        pass
    cleaned = _without_nulls(raw, "", 0)
    try:
        return msgspec.convert(cleaned, target)
    except msgspec.ValidationError as error:
        raise _field_error(str(error), cleaned) from None


def _without_nulls(value: Any, name: str, depth: int) -> Any:
    """The same data as Go's decoder sees it: nulls left out, or empty in maps of strings; base64 without newlines."""
    if depth > _DEEPEST:
        raise FieldError("", f"nested more than {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        if name == "data":
            return {key: _joined(item) for key, item in value.items()}
        if name in _STRING_MAPS:
            return {key: "" if item is None else item for key, item in value.items()}
        return {key: _without_nulls(item, str(key), depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item, "", depth + 1) for item in value if item is not None]
    return value


def _joined(item: Any) -> Any:
    if item is None:
        return ""
    return item.replace("\n", "").replace("\r", "") if isinstance(item, str) else item


def _field_error(text: str, raw: Mapping[str, Any]) -> FieldError:
    match = _AT.fullmatch(text)
    what, path = (match["what"], match["path"]) if match else (text, "")
    if match and match["key"]:
        return FieldError(path, "Invalid type: expected strings as keys; put them in quotes")
    if "[...]" in path:
        path = _named_entry(path, raw, what)
    if missing := _MISSING.fullmatch(what):
        name = missing["name"]
        return FieldError(f"{path}.{name}" if path else name, f"Required value: {name} must be specified")
    if expected := _EXPECTED.fullmatch(what):
        want = " or ".join(_WORDS.get(word, word) for word in expected["want"].split(" | ") if word != "null")
        got = _WORDS.get(expected["got"], expected["got"])
        quotes = "; put it in quotes" if want == "string" and got in ("integer", "boolean", "float") else ""
        return FieldError(path, f"Invalid type: expected {want}, got {got}{quotes}")
    if enum := _ENUM.fullmatch(what):
        supported = ", ".join(f'"{value}"' for value in _ENUMS.get(path.rpartition(".")[2], ()))
        value = enum["value"].strip("'")
        return FieldError(path, f'Unsupported value: "{value}": supported values: {supported}')
    if "base64" in what:
        return FieldError(path, "Invalid value: not valid base64")
    return FieldError(path, what)


def _named_entry(path: str, raw: Mapping[str, Any], what: str) -> str:
    """The path with the key of the entry at fault in place of `[...]`, which is all that the decoder says."""
    before, _, after = path.partition("[...]")
    value: Any = raw
    for step in before.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return path
    for key, item in value.items():
        if not isinstance(item, str) or _bad_base64(item, what):
            return f"{before}[{key}]{after}"
    return path


def _bad_base64(text: str, what: str) -> bool:
    if "base64" not in what:
        return False
    try:
        msgspec.convert(text, bytes)
    except msgspec.ValidationError:
        return True
    return False
