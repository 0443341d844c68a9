"""What the Rust side refused, told in terms of objects and files.

A report names scopes (`host:NAME`, `KIND:KEY`) and, where it can, an Ingress. Here each problem gets its object, its
place in a file and its severity. A bad certificate becomes a problem of each Ingress that uses the Secret, since that
is whose owner has to act.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastingress.model import ReportedProblem
from fastingress.objects import Ingress
from fastingress.problems import ObjectRef, Problem, Severity
from fastingress.store import View

_WARNINGS = frozenset({"AliasShadowed", "CertificateNameMismatch", "CertificateExpired", "CertificateNotYetValid"})
"""What still serves, if not quite as its owner may think. All else that Rust refuses is an error."""


class Refusals:
    """Turns the problems of a report into problems of objects, with what the store holds at this moment."""

    def __init__(self, view: View) -> None:
        self._view = view

    def by_scope(self, reported: Iterable[tuple[str, Iterable[ReportedProblem]]]) -> dict[str, list[Problem]]:
        """Scopes of the report, each prefixed with `table/`, with what is wrong in them now."""
        users: dict[tuple[str, str], list[Ingress]] | None = None
        scopes: dict[str, list[Problem]] = {}
        for scope, refused in reported:
            problems: list[Problem] = []
            for one in refused:
                if users is None and scope.startswith("certificate:"):
                    users = self._users_of_secrets()
                problems.extend(self._problems(scope, one, users or {}))
            scopes[f"table/{scope}"] = problems
        return scopes

    def _problems(
        self, scope: str, refused: ReportedProblem, users: dict[tuple[str, str], list[Ingress]]
    ) -> Iterable[Problem]:
        kind, _, key = scope.partition(":")
        if refused.ingress is not None:
            ref = refused.ingress
            yield self._problem(refused, "Ingress", ref.namespace, ref.name, refused.message)
        elif kind == "certificate":
            namespace, _, name = key.partition("/")
            message = f"Secret {key}: {refused.message}"
            using = users.get((namespace, name), [])
            for ingress in using:
                yield self._problem(refused, "Ingress", ingress.metadata.namespace, ingress.metadata.name, message)
            if not using:
                yield self._problem(refused, "Secret", namespace, name, message)
        else:
            message = f"{kind} {key}: {refused.message}"
            yield Problem(code=refused.code, severity=_severity(refused.code), object=None, message=message)

    def _problem(self, refused: ReportedProblem, kind: str, namespace: str, name: str, message: str) -> Problem:
        found = self._view.get(kind, namespace, name)
        origin = found.origin if found is not None else None
        uid = found.metadata.uid if found is not None else ""
        ref = ObjectRef(kind=kind, namespace=namespace, name=name, uid=uid)
        return Problem(code=refused.code, severity=_severity(refused.code), object=ref, message=message, origin=origin)

    def _users_of_secrets(self) -> dict[tuple[str, str], list[Ingress]]:
        users: dict[tuple[str, str], list[Ingress]] = {}
        for ingress in self._view.list("Ingress"):
            for name in {tls.secret_name for tls in ingress.spec.tls if tls.secret_name}:
                users.setdefault((ingress.metadata.namespace, name), []).append(ingress)
        return users


def _severity(code: str) -> Severity:
    return "warning" if code in _WARNINGS else "error"
