"""Answers as tables for people, and as JSON for programs.

A table that does not go to a terminal is plain: as wide as its content, one line for each row, nothing to trail.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from fastingress.errors import ConfigError
from fastingress.library.views import Explanation, RouteView
from fastingress.problems import Problem

Form = Literal["table", "json"]


def form(word: str) -> Form:
    """Raises `ConfigError` for anything but `table` and `json`."""
    if word == "table" or word == "json":
        return "table" if word == "table" else "json"
    raise ConfigError(f"--output: {word!r} is not one of table, json")


def routes(found: Sequence[RouteView], form: Form) -> None:
    """One row for each route."""
    if form == "json":
        return _json(found)
    rows = [
        (
            route.host or "*",
            route.path or "/",
            route.path_type,
            route.owner,
            route.service or "-",
            _endpoints(route),
            _policy(route),
        )
        for route in found
    ]
    _table(("HOST", "PATH", "TYPE", "INGRESS", "SERVICE", "ENDPOINTS", "POLICY"), rows)
    return None


def explanation(found: Explanation, form: Form) -> None:
    """The winner in full, then a row for each loser."""
    if form == "json":
        return _json(found)
    winner = found.winner
    facts = [("request", f"{found.host or '(no host)'} {found.path}")]
    if winner is None:
        facts += [("answer", "404"), ("reason", found.reason)]
    else:
        facts += [
            ("ingress", winner.owner),
            ("rule", f"{winner.place}: {winner.host or '*'} {winner.path or '/'} ({winner.path_type})"),
            ("reason", found.reason),
            ("service", winner.service or "-"),
            ("endpoints", _endpoints(winner)),
        ]
        facts += [("policy", f"{name}: {value}") for name, value in winner.policy.items()]
    facts.append(("certificate", "configured for this host" if found.host_has_certificate else "the default one"))
    facts.append(("compat", found.compat))
    _table((), facts)
    if found.losers:
        _line("")
        rows = [
            (one.route.host or "*", one.route.path or "/", one.route.path_type, one.route.owner, one.reason)
            for one in found.losers
        ]
        _table(("HOST", "PATH", "TYPE", "INGRESS", "NOT TAKEN BECAUSE"), rows)
    return None


def problems(found: Sequence[Problem], form: Form) -> None:
    """A line for each problem, and how many there are."""
    if form == "json":
        return _json(found)
    for problem in found:
        _line(str(problem))
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    _line(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}" if found else "no problems")
    return None


def remarks(lines: Sequence[str]) -> None:
    """What is to be known about the command line, beside the answer."""
    for line in lines:
        print(f"fastingress: {line}", file=sys.stderr)  # noqa: T201


def _endpoints(route: RouteView) -> str:
    if route.endpoints:
        return ", ".join(route.endpoints)
    if route.dns:
        return f"(addresses of {route.dns})"
    return "none: 503" if route.known else "unknown: 503"


def _policy(route: RouteView) -> str:
    return ", ".join(f"{name}={value}" for name, value in route.policy.items()) or "-"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _json(value: Any) -> None:
    content = msgspec.json.format(msgspec.json.encode(value), indent=2)
    _line(content.decode())


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if sys.stdout is None or not sys.stdout.isatty():
        for line in _plain([heads, *rows] if heads else rows):
            _line(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(heads), pad_edge=False, header_style="bold")
    for head in heads or rows[0]:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _plain(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _line(text: str) -> None:
    print(text)  # noqa: T201 - it does nothing where there is no standard output
