"""The book of problems: what is raised, what is cleared, and what it says as JSON."""

from __future__ import annotations

import json

from fastingress.problems import ObjectRef, Origin, Problem
from fastingress.publish import ProblemBook


def problem(message: str, *, line: int = 1, severity: str = "error", code: str = "Wrong") -> Problem:
    return Problem(
        code=code,
        severity="error" if severity == "error" else "warning",
        object=ObjectRef("Ingress", "default", "shop"),
        message=message,
        origin=Origin("shop.yaml", line, 0),
    )


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.book = ProblemBook(
            raised=lambda one: self.lines.append(f"+{one.message}"),
            cleared=lambda one: self.lines.append(f"-{one.message}"),
            changed=self._count,
        )
        self.changes = 0

    def _count(self) -> None:
        self.changes += 1

    def update(self, **scopes: list[Problem]) -> list[str]:
        self.lines.clear()
        self.book.update(scopes)
        return sorted(self.lines)


def test_a_problem_is_raised_once_and_cleared_once() -> None:
    told = Told()
    assert told.update(a=[problem("x"), problem("y")]) == ["+x", "+y"]
    assert told.update(a=[problem("x"), problem("y")]) == []
    assert told.update(a=[problem("y"), problem("z")]) == ["+z", "-x"]
    assert told.update(a=[]) == ["-y", "-z"]
    assert told.update(a=[]) == []
    assert len(told.book) == 0


def test_what_two_scopes_state_is_one_problem_until_neither_does() -> None:
    told = Told()
    assert told.update(a=[problem("x")]) == ["+x"]
    assert told.update(b=[problem("x")]) == []
    assert len(told.book.problems()) == 1
    assert told.update(a=[]) == []
    assert told.update(b=[]) == ["-x"]


def test_what_two_scopes_begin_to_state_at_once_is_raised() -> None:
    told = Told()
    assert told.update(a=[problem("x")], b=[problem("x"), problem("y")]) == ["+x", "+y"]
    assert told.update(b=[problem("y")], c=[problem("x")]) == []
    assert told.update(a=[], c=[]) == ["-x"]


def test_a_problem_that_moves_between_scopes_or_lines_is_neither_raised_nor_cleared() -> None:
    told = Told()
    told.update(a=[problem("x")])
    assert told.update(a=[], b=[problem("x")]) == []
    assert told.update(b=[], a=[problem("x")]) == []
    assert told.update(a=[problem("x", line=7)]) == []
    origin = told.book.problems()[0].origin
    assert origin is not None
    assert origin.line == 7


def test_whoever_shows_the_book_hears_of_every_change_and_of_nothing_else() -> None:
    told = Told()
    told.update(a=[problem("x")], b=[problem("y")])
    assert told.changes == 1
    told.update(a=[problem("x")], c=[])
    assert told.changes == 1
    told.update(a=[problem("x", line=2)])
    told.update(a=[])
    assert told.changes == 3


def test_problems_are_listed_by_place_and_as_json() -> None:
    told = Told()
    told.update(b=[problem("later", line=9)], a=[problem("sooner", line=2, severity="warning")])
    assert [one.message for one in told.book.problems()] == ["sooner", "later"]
    assert told.book.errors() == 1
    listed = json.loads(told.book.to_json())
    assert len(listed) == 2
    assert listed[0] == {
        "code": "Wrong",
        "severity": "warning",
        "object": {"kind": "Ingress", "namespace": "default", "name": "shop", "uid": ""},
        "message": "sooner",
        "origin": {"path": "shop.yaml", "line": 2, "index": 0},
    }
