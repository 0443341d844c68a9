from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.sources.cluster.wire import (
    Garbage,
    ends_initial_events,
    event_of,
    page_of,
    unreadable_event_of,
    version_of,
)
from tests.unit.sources.cluster.script import bookmark, event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(kind=st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]), item=JSON, spaced=st.booleans())
def test_an_event_has_its_object_whatever_the_object_is(kind: str, item: Any, spaced: bool) -> None:
    line = json.dumps({"type": kind, "object": item}, separators=None if spaced else (",", ":")).encode()
    found = event_of(line)
    assert found.type == kind
    assert json.loads(bytes(found.object)) == item


@settings(deadline=None)
@given(version=st.text(max_size=8), reversed_=st.booleans())
def test_the_version_is_the_object_s_own(version: str, reversed_: bool) -> None:
    item = {"spec": {"metadata": {"resourceVersion": "9"}}, "metadata": {"name": "a", "resourceVersion": version}}
    pair = [("type", "ADDED"), ("object", item)]
    line = json.dumps(dict(reversed(pair) if reversed_ else pair), separators=(",", ":")).encode()
    assert event_of(line).version == version


@pytest.mark.parametrize("line", [b"<html>", b"{", b"[]", b'{"type":"ADDED"}', b'{"type":1,"object":{}}', b"\xff\xfe"])
def test_what_is_no_event_is_garbage(line: bytes) -> None:
    with pytest.raises(Garbage):
        event_of(line)


def test_an_object_that_is_too_deep_to_be_read_is_garbage_that_can_be_passed_on() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    line = b'{"type":"ADDED","object":' + deep + b"}"
    with pytest.raises(Garbage):
        event_of(line)
    passed = unreadable_event_of(line)
    assert passed is not None
    assert (passed.type, bytes(passed.object), passed.version) == ("ADDED", deep, "")
    assert unreadable_event_of(b"<html>") is None


def test_a_list_of_null_is_empty() -> None:
    assert page_of(b'{"metadata":{"resourceVersion":"7","continue":null},"items":null}') == ([], "7", "")
    assert page_of(b'{"metadata":{"resourceVersion":"7"}}').items == []


def test_items_of_a_list_are_not_looked_at() -> None:
    items = page_of(b'{"metadata":{"resourceVersion":"7","continue":"t"},"items":[17,{"metadata":null},null]}').items
    assert [bytes(item) for item in items] == [b"17", b'{"metadata":null}', b"null"]
    assert [version_of(item) for item in items] == ["", "", ""]


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b'{"items":[]}', b'{"metadata":{},"items":{}}'])
def test_what_is_no_list_is_garbage(body: bytes) -> None:
    with pytest.raises(Garbage):
        page_of(body)


def test_only_the_bookmark_that_says_so_ends_a_list() -> None:
    assert ends_initial_events(event_of(bookmark(5, ends_list=True)).object)
    assert not ends_initial_events(event_of(bookmark(5)).object)
    assert not ends_initial_events(event_of(event("ADDED", "a", 5)).object)
