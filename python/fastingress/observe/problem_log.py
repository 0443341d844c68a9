"""A log line for each problem that appears, and one when it is gone."""

from __future__ import annotations

import logging
from typing import Any

from fastingress.observe.log import FIELDS
from fastingress.problems import Problem

_log = logging.getLogger("fastingress.problems")


def log_raised(problem: Problem) -> None:
    """At the level of the problem's severity."""
    level = logging.ERROR if problem.severity == "error" else logging.WARNING
    _log.log(level, "%s", _line(problem), extra={FIELDS: _fields(problem, "raised")})


def log_cleared(problem: Problem) -> None:
    """At level info."""
    _log.info("solved: %s", _line(problem), extra={FIELDS: _fields(problem, "cleared")})


def _line(problem: Problem) -> str:
    where = f"{problem.origin}: " if problem.origin else ""
    what = f"{problem.object}: " if problem.object else ""
    return f"{where}{what}{problem.message} ({problem.code})"


def _fields(problem: Problem, transition: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"problem": transition, "code": problem.code, "severity": problem.severity}
    if problem.object is not None:
        fields |= {"kind": problem.object.kind, "namespace": problem.object.namespace, "name": problem.object.name}
    if problem.origin is not None:
        fields |= {"path": problem.origin.path, "line": problem.origin.line}
    return fields
