"""YAML, friendly and hostile."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastingress.sources.manifests import json_text
from fastingress.sources.manifests.yaml_text import DocumentError, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("22:22", "22:22"),
        ("1:30:00", "1:30:00"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("10Mi", "10Mi"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("+", "+"),
        ("=", "="),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("80", 80),
        ("-7", -7),
        ("0080", 80),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("'80'", "80"),
        ('"true"', "true"),
        ("|-\n  80", "80"),
        ("!!str 80", "80"),
        ("!!int '80'", 80),
        ("!!float 80", 80.0),
        ("!!null ''", None),
        ("!Ref thing", "thing"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, expected: Any) -> None:
    found = parse(f"key: {text}\n").data["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number_is_one() -> None:
    assert math.isnan(parse("key: .nan").data["key"])


def test_keys_are_text() -> None:
    assert parse("{80: a, true: b, ~: c, 'x': d}").data == {"80": "a", "true": "b", "~": "c", "x": "d"}


def test_aliases_and_merge_keys_work() -> None:
    text = """
base: &base {a: 1, b: 2}
other: &other {b: 3, c: 4}
one: {<<: *base, b: 9}
both: {<<: [*base, *other]}
list: [*base, *base]
quoted: {"<<": 1}
host: "*.example.com"
"""
    assert parse(text).data == {
        "base": {"a": 1, "b": 2},
        "other": {"b": 3, "c": 4},
        "one": {"a": 1, "b": 9},
        "both": {"a": 1, "b": 2, "c": 4},
        "list": [{"a": 1, "b": 2}, {"a": 1, "b": 2}],
        "quoted": {"<<": 1},
        "host": "*.example.com",
    }


def billion_laughs(levels: int) -> str:
    above = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *above])


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (billion_laughs(9), 3, "aliases repeat more than"),
        ("a: &a [*a]", 0, "an alias contains itself"),
        ("a: &a {b: *a}", 0, "an alias contains itself"),
        ("a: 1\nb: *b", 1, "undefined alias"),
        ("a: 1\nb: 2\na: 3", 2, 'duplicate key "a"'),
        ("x: &x 1\nb:\n  a: *x\n  a: 3", 3, 'duplicate key "a"'),
        ("a: 1\n'a': 2", 1, 'duplicate key "a"'),
        ("? [a]\n: b", 0, "a key must be text"),
        ("a: [1, 2", 0, "flow sequence"),
        ("a: 1\n\tb: 2", 1, "tab character"),
        ("a: 1\nb: c: d", 1, "mapping values are not allowed"),
        ("a: 'open\n", 1, "unexpected end of stream"),
        ("a: b\nc: \x07", 1, "control characters"),
        ("a: !!int x", 0, "not of type int"),
        ("a: !!bool 1", 0, "not of type bool"),
        ("<<: 5", 0, "a merge key needs a mapping"),
        ("[" * 100_000, 0, "nested more than"),
        ("{a: " * 100_000, 0, "nested more than"),
        ("- " * 100_000, 0, "nested more than"),
        ("? " * 100_000, 0, "nested more than"),
        ("a: &a " + "[" * 90 + "]" * 90 + "\nb: " + "[" * 101, 1, "nested more than"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), 100, "nested more than"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, line: int, expected: str) -> None:
    with pytest.raises(DocumentError, match=expected) as caught:
        parse(text)
    if "flow sequence" not in expected:
        assert caught.value.line == line


def test_nesting_below_the_bound_is_read() -> None:
    assert str(parse("[" * 99 + "]" * 99).data) == "[" * 99 + "]" * 99
    parse("\n".join(" " * depth + "a:" for depth in range(99)))
    parse("a: '" + "[" * 5000 + "'")


def test_lines_of_the_items_of_a_list() -> None:
    document = parse("kind: List\nitems:\n- a: 1\n\n- a: 2\n- {a: 3}\n")
    assert document.item_lines == (2, 4, 5)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="abk:-[]{}&*!<>|'\"#%?, \n\t01.~", max_size=60))
@example("&a [&b *a]")
@example("%YAML 1.2\n---\na")
def test_any_text_is_data_or_an_error(text: str) -> None:
    line = 0
    try:
        parse(text)
    except DocumentError as error:
        line = error.line
    assert 0 <= line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ('{"a": 1,\n "a": 2}', 0, 'duplicate key "a"'),
        ('{"a": NaN}', 0, "NaN is not JSON"),
        ('{"a": 1,\n}', 1, "Expecting property name|Illegal trailing comma"),
        ("[" * 100_000, 0, "nested more than"),
        ('{"a": ' + "9" * 5000 + "}", 0, "digits"),
    ],
)
def test_json_is_strict(text: str, line: int, expected: str) -> None:
    with pytest.raises(DocumentError, match=expected) as caught:
        json_text.parse(text)
    assert caught.value.line in (line, line - 1)


def test_json_is_read() -> None:
    assert json_text.parse('{"a": ["\\ud83d\\ude00\\/", 1, null]}').data == {"a": ["😀/", 1, None]}
