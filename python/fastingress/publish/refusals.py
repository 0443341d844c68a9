"""What the Rust side refused, told in terms of objects and files.

A report names scopes (`host:NAME`, `KIND:KEY`) and, where it can, an Ingress. Here each problem gets its object, its
place in a file and its severity. A bad certificate or authority becomes a problem of each Ingress that uses the
Secret, since that is whose owner has to act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from fastingress.model import Key, ReportedProblem
from fastingress.problems import ObjectRef, Problem, Severity
from fastingress.store import View

_WARNINGS = frozenset(
    {"AliasShadowed", "CertificateExpired", "CertificateExpiresSoon", "CertificateNameMismatch", "InvalidStaple"}
)
"""What still serves, if not quite as its owner may think. All else that Rust refuses is an error."""


Scoped = tuple[str, tuple[ReportedProblem, ...]]
"""A scope of the Rust side with all that is wrong in it now."""

_scopes = msgspec.msgpack.Decoder(tuple[Scoped, ...])


def decode_scopes(blob: bytes) -> tuple[Scoped, ...]:
    """What `verify_certificates` answers."""
    return _scopes.decode(blob)


class Refusals:
    """Turns the problems of a report into problems of objects.

    `view` tells where objects stand, as the store has them at the time; `owners` answers which Ingresses lead to an
    entry of the desired state.
    """

    def __init__(self, view: View, owners: Callable[[Key], Iterable[ObjectRef]]) -> None:
        self._view = view
        self._owners = owners

    def by_scope(self, reported: Iterable[tuple[str, Iterable[ReportedProblem]]]) -> dict[str, list[Problem]]:
        """Scopes of the report, each prefixed with `table/`, with what is wrong in them now."""
        return {
            f"table/{scope}": [problem for refused in problems for problem in self._told(scope, refused)]
            for scope, problems in reported
        }

    def _told(self, scope: str, refused: ReportedProblem) -> Iterable[Problem]:
        kind, _, key = scope.partition(":")
        if refused.ingress is not None:
            ref = refused.ingress
            yield self._problem(refused, "Ingress", ref.namespace, ref.name, refused.message)
        elif kind in ("certificate", "certificate-name", "authority"):
            yield from self._of_secret(refused, kind, key)
        elif kind == "stream" and refused.code == "PortUnavailable":  # it says itself who asks for the port
            yield Problem(code=refused.code, severity=_severity(refused.code), object=None, message=refused.message)
        else:
            message = f"{kind} {key}: {refused.message}"
            yield Problem(code=refused.code, severity=_severity(refused.code), object=None, message=message)

    def _of_secret(self, refused: ReportedProblem, kind: str, key: str) -> Iterable[Problem]:
        owners = self._users_of_host(key) if kind == "certificate-name" else list(self._owners((kind, key)))
        for owner in owners:
            yield self._problem(refused, "Ingress", owner.namespace, owner.name, refused.message)
        if not owners:
            namespace, _, name = key.partition("/")
            yield self._problem(refused, "Secret", namespace, name, refused.message)

    def _users_of_host(self, host: str) -> list[ObjectRef]:
        """The Ingresses that have a certificate for a host."""
        return [
            ingress.ref
            for ingress in self._view.list("Ingress")
            if any(host in (tls.hosts or [rule.host for rule in ingress.spec.rules]) for tls in ingress.spec.tls)
        ]

    def _problem(self, refused: ReportedProblem, kind: str, namespace: str, name: str, message: str) -> Problem:
        found = self._view.get(kind, namespace, name)
        origin = found.origin if found is not None else None
        uid = found.metadata.uid if found is not None else ""
        ref = ObjectRef(kind=kind, namespace=namespace, name=name, uid=uid)
        return Problem(code=refused.code, severity=_severity(refused.code), object=ref, message=message, origin=origin)


def _severity(code: str) -> Severity:
    return "warning" if code in _WARNINGS else "error"
