"""Messages of problems: whatever an object puts into them, they are short enough to be shown."""

from __future__ import annotations

import msgspec
import pytest

from fastingress.objects import decode
from fastingress.problems import LONGEST_MESSAGE, LONGEST_WORD, ObjectRef, Origin, Problem, bounded, shortened
from fastingress.translate.findings import error

ORIGIN = Origin("shop.yaml", 3, 1)


def test_a_short_message_stays_as_it_is() -> None:
    message = "spec.rules[0].host: " + "a" * 180
    assert bounded(message) == message
    longer = "many words " * 90
    assert bounded(longer) == longer


@pytest.mark.parametrize("letter", ["a", "ü", "😀"])
def test_a_long_value_is_cut_and_what_is_wrong_with_it_stays(letter: str) -> None:
    message = f"path: {letter * 40_000}: is no regular expression"
    for found in (Problem("X", "error", None, message).message, error("X", message).message):
        assert found.startswith("path: " + letter)
        assert found.endswith("…" + letter * (LONGEST_WORD // 4 - 1) + ": is no regular expression")
        assert len(found.encode()) <= LONGEST_MESSAGE


@pytest.mark.parametrize("words", ["word ", "ünï ", "😀 "])
def test_a_long_message_keeps_its_beginning_and_its_end(words: str) -> None:
    found = bounded(f"begin {words * 10_000}end")
    assert LONGEST_MESSAGE - 8 <= len(found.encode()) <= LONGEST_MESSAGE
    assert (found[:6], found[-4:]) == ("begin ", " end")
    assert "…" in found


def test_a_changed_problem_is_bounded_too() -> None:
    problem = msgspec.structs.replace(Problem("X", "error", None, "m"), message="m " * 5_000)
    assert len(problem.message.encode()) <= LONGEST_MESSAGE


def test_a_text_is_shortened_to_its_bound() -> None:
    assert shortened("a" * 20, 20) == "a" * 20
    assert shortened("a" * 15 + "b" * 6, 20) == "a" * 14 + "…" + "b" * 5


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "creationTimestamp"])
def test_an_object_with_a_name_of_megabytes_is_a_problem_of_a_line(field: str) -> None:
    metadata = {"name": "shop", field: "n" * 5_000_000}
    raw = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {}}
    decoded = decode(raw, ORIGIN)
    assert decoded.object is None
    for problem in decoded.problems:
        assert len(str(problem).encode()) <= 2 * LONGEST_MESSAGE
        assert isinstance(problem.object, ObjectRef)
        assert len(problem.object.uid) <= 253
