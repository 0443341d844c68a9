"""Answers as tables for people, and as JSON for programs.

A table that does not go to a terminal is plain: as wide as its content, one line for each row, nothing to trail.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from fastingress.cli import outcome
from fastingress.errors import ConfigError
from fastingress.library.url import Asked
from fastingress.library.views import ClientDemand, Explanation, PortView, RouteView
from fastingress.problems import Problem

Form = Literal["table", "json"]
_LOST = {"tcp": "closed", "udp": "dropped"}


def form(word: str) -> Form:
    """Raises `ConfigError` for anything but `table` and `json`."""
    if word == "table" or word == "json":
        return "table" if word == "table" else "json"
    raise ConfigError(f"--output: {word!r} is not one of table, json")


def table(routes: Sequence[RouteView], ports: Sequence[PortView], form: Form) -> None:
    """One row for each route, then one for each TCP or UDP service."""
    if form == "json":
        return _json({"routes": routes, "ports": ports})
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
        for route in routes
    ]
    _table(("HOST", "PATH", "TYPE", "INGRESS", "SERVICE", "ENDPOINTS", "POLICY"), rows)
    if ports:
        _line("")
        of_ports = [
            (_port(one), one.service, _endpoints(one), one.origin, ", ".join(_headers(one)) or "-") for one in ports
        ]
        _table(("PORT", "SERVICE", "ENDPOINTS", "ASKED FOR BY", "PROXY HEADERS"), of_ports)
    return None


def explanation(
    found: Explanation, request: Asked, port: PortView | None, problems: Sequence[Problem], form: Form
) -> None:
    """The winner in full, then a row for each loser.

    `port` is the TCP service at the port of the URL; `problems` tell which Secrets cannot be used.
    """
    if form == "json":
        return _json(found)
    winner = found.winner
    answer = "" if port is not None else outcome.answer(found, request, problems)
    facts = [("request", f"{found.host or '(no host)'} {found.path}")]
    if winner is None:
        facts += [("answer", "404"), ("reason", found.reason)]
    else:
        facts += [
            ("ingress", winner.owner),
            ("rule", f"{winner.place}: {winner.host or '*'} {winner.path or '/'} ({winner.path_type})"),
            ("reason", found.reason),
            *([("answer", answer)] if answer else []),
            ("service", winner.service or "-"),
            ("endpoints", "not asked" if winner.closed else _endpoints(winner)),
        ]
        facts += [("policy", f"{name}: {value}") for name, value in winner.policy.items()]
    facts += _of_connections(found, port, problems)
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


def port(protocol: str, number: int, found: PortView | None, reserved: str, form: Form) -> None:
    """Where a TCP or UDP port leads. `reserved` is the flag that has it for something else."""
    if form == "json":
        return _json(found)
    facts = [("request", f"{protocol} {number}")]
    if found is None:
        other = f": it is that of {reserved}" if reserved else ""
        facts.append(("reason", f"no {protocol.upper()} service has this port{other}"))
    else:
        facts += [
            ("service", found.service),
            ("endpoints", _endpoints(found)),
            ("asked for by", found.origin),
            ("proxy headers", ", ".join(_headers(found)) or "none"),
            ("idle timeout", f"{found.idle_timeout_ms / 1000:g}s"),
        ]
        facts += [("closed", f"{found.untrusted}")] if found.untrusted else []
        facts += [("listening on", ", ".join(found.listening))] if found.listening else []
        facts += [("not open", found.problem)] if found.problem else []
    _table((), facts)
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


def _of_connections(found: Explanation, port: PortView | None, problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """What holds for connections to the host, before there is a request."""
    facts = []
    if port is not None:
        facts.append(("port", f"{port.port} is that of the TCP service {port.service}: no rule sees its connections"))
    passing = found.passthrough
    if passing is not None:
        where = f"{passing.service} ({_endpoints(passing, 'closed')})"
        facts.append(("tls", f"passes through unopened to {where} for {passing.owner}: rules see plain requests alone"))
    else:
        facts.append(("certificate", _certificate(found, problems)))
    if found.client_auth is not None:
        why = outcome.shut_out(found, problems)
        facts.append(("clients", f"are all refused: {why}" if why else _demanded(found.client_auth)))
    return facts


def _certificate(found: Explanation, problems: Sequence[Problem]) -> str:
    """Which one is served."""
    if not found.certificate and not found.host_has_certificate:
        return "the default one"
    why = outcome.no_certificate(found, problems)
    return f"the default one: {why}" if why else "configured for this host"


def _demanded(demand: ClientDemand) -> str:
    """What a client's certificate is to be."""
    words = {
        "on": f"have to show a certificate that Secret {demand.authority} vouches for",
        "optional": f"may show a certificate, for which Secret {demand.authority} has to vouch",
        "optional_no_ca": f"may show any certificate; the backend is told whether Secret {demand.authority} vouches",
    }
    text = f"{words[demand.verify]}, depth {demand.depth}"
    if demand.match_cn is not None:
        text += f", with a subject like {demand.match_cn}"
    return text if demand.error_page is None else f"{text}; others are sent to {demand.error_page}"


def _port(one: PortView) -> str:
    return f"{one.protocol} {one.port}{' (not open)' if one.problem else ''}"


def _headers(one: PortView) -> list[str]:
    taken = ["taken from nobody: closed" if one.untrusted else "taken from clients"] if one.accept_proxy else []
    return [*taken, f"version {one.send_proxy} sent to endpoints"] if one.send_proxy else taken


def _endpoints(one: RouteView | PortView, lost: str = "") -> str:
    """Those there are, or what comes of there being none."""
    if one.endpoints:
        return ", ".join(one.endpoints)
    if one.dns:
        return f"(addresses of {one.dns})"
    if isinstance(one, RouteView) and outcome.has_no_endpoints(one):
        status = outcome.of_closed(one)
        return f"not asked: {status}" if status else "-"
    if not lost:
        lost = _LOST[one.protocol] if isinstance(one, PortView) else "503"
    return f"{'none' if one.known else 'unknown'}: {lost}"


def _policy(route: RouteView) -> str:
    return ", ".join(f"{name}={value or '(none)'}" for name, value in route.policy.items()) or "-"


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
