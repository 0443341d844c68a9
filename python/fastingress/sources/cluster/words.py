"""How a permission that is missing is put into words: verb, resource, namespace, what needs it and what is lost."""

from __future__ import annotations

from collections.abc import Sequence

from fastingress.problems import Problem, Severity
from fastingress.sources.cluster.kinds import Row


def part_of(row: Row, namespace: str = "", name: str = "") -> str:
    """Names a part of the source: `ingresses`, `services shop` for a namespace, `secrets shop/tls` for one object."""
    place = f"{namespace}/{name}" if namespace and name else namespace or name
    return f"{row.resource} {place}".rstrip()


def place_of(row: Row, namespace: str, names: Sequence[str] = ()) -> str:
    """`ingresses.networking.k8s.io in all namespaces`, `secrets tls in namespace shop`, `nodes`."""
    named = f"{row.full_resource} {', '.join(names)}".rstrip()
    if row.where == "cluster":
        return named
    return f"{named} in namespace {namespace}" if namespace else f"{named} in all namespaces"


def denied(row: Row, verbs: Sequence[str], namespace: str, names: Sequence[str] = ()) -> str:
    """One line."""
    line = f"cannot {', '.join(verbs)} {place_of(row, namespace, names)}: "
    if row.flag:
        line += f"needed by {row.flag}"
    elif row.required:
        line += "needed always"
    if row.required:
        return line
    return f"{line}{', ' if row.flag else ''}without it {row.lost}"


def denial(row: Row, verbs: Sequence[str], namespace: str, names: Sequence[str] = ()) -> Problem:
    """The same as a problem."""
    severity: Severity = "error" if row.required else "warning"
    return Problem("AccessDenied", severity, None, denied(row, verbs, namespace, names))
