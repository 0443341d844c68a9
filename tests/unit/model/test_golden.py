"""The golden files say what the code does, in both directions. The Rust tests read the same files."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import msgspec
import pytest

from fastingress import model
from tests.unit.model import golden

FILES: dict[str, bytes] = dict(golden.files())


@pytest.mark.parametrize("name", FILES)
def test_file_is_what_the_script_writes(name: str) -> None:
    assert (golden.DIRECTORY / name).read_bytes() == FILES[name]


def test_there_is_no_file_without_a_case() -> None:
    assert {path.name for path in golden.DIRECTORY.iterdir() if path.suffix in (".json", ".msgpack")} == set(FILES)


@pytest.mark.parametrize("name", golden.CHANGE_SETS)
def test_msgpack_and_json_hold_the_same_values(name: str) -> None:
    envelope = model.decode_change_set((golden.DIRECTORY / f"{name}.msgpack").read_bytes())
    spelt = json.loads((golden.DIRECTORY / f"{name}.json").read_bytes())
    assert (envelope.version, envelope.full) == (spelt["version"], spelt["full"])
    assert [list(key) for key in envelope.removals] == spelt["removals"]
    decoded = [[kind, key, model.decode(blob, model.STRUCT_OF[kind])] for kind, key, blob in envelope.upserts]
    assert decoded == [[kind, key, _from_json(kind, value)] for kind, key, value in spelt["upserts"]]


def test_report_decodes() -> None:
    assert model.decode_report((golden.DIRECTORY / "report.msgpack").read_bytes()) == golden.REPORT


def test_every_field_of_every_struct_is_somewhere_not_its_default() -> None:
    seen: set[tuple[str, str]] = set()
    for values, _, _ in golden.CHANGE_SETS.values():
        for value in values.values():
            _note_fields(value, seen)
    _note_fields(golden.REPORT, seen)
    wanted = {(struct.__name__, name) for struct in _structs() for name in struct.__struct_fields__}
    assert wanted - seen == set()


def _from_json(kind: str, value: dict[str, Any]) -> Any:
    if kind in ("certificate", "authority"):
        value = {name: text.encode() for name, text in value.items()}
    elif kind == "tickets":
        value = {"keys": [text.encode() for text in value["keys"]]}
    return msgspec.convert(value, model.STRUCT_OF[kind])


def _structs() -> list[type[msgspec.Struct]]:
    named = [getattr(model, name) for name in model.__all__]
    structs = [item for item in named if isinstance(item, type) and issubclass(item, msgspec.Struct)]
    return [struct for struct in structs if struct is not model.ChangeSet]


def _note_fields(value: Any, seen: set[tuple[str, str]]) -> None:
    if isinstance(value, tuple):
        for item in value:
            _note_fields(item, seen)
    if not isinstance(value, msgspec.Struct):
        return
    defaults = {field.name: field.default for field in msgspec.structs.fields(value)}
    assert set(get_type_hints(type(value))) == set(defaults)
    for name, default in defaults.items():
        item = getattr(value, name)
        if item != default:
            seen.add((type(value).__name__, name))
        _note_fields(item, seen)
