"""How a permission that is missing is put into words: verb, resource, namespace, what needs it and what is lost."""

from __future__ import annotations

from collections.abc import Sequence

from fastingress.problems import Problem
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
    line = f"cannot {', '.join(verbs)} {place_of(row, namespace, names)}: needed {_by(row)}"
    return line if row.required else f"{line}, without it {row.lost}"


def denial(row: Row, verbs: Sequence[str], namespace: str, names: Sequence[str] = ()) -> Problem:
    """The same as a problem."""
    severity = "error" if row.required else "warning"
    return Problem("AccessDenied", severity, None, denied(row, verbs, namespace, names))  # type: ignore[arg-type]


def _by(row: Row) -> str:
    return f"by {row.flag}" if row.flag else "always"
