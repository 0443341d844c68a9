"""Reads the annotations of an object against the declarations.

One bad value is one problem: the key falls back to its default, or, where that would let someone in, the Ingress is
closed. It decides nothing about routes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct

from fastingress.model import ClientAuth, Policy, Upstream
from fastingress.translate.annotations import client_certificates
from fastingress.translate.annotations.declare import Annotation, Draft, Values
from fastingress.translate.annotations.known import UNSUPPORTED, Unsupported
from fastingress.translate.annotations.registry import FAMILIES, FAMILY_OF, NAMES
from fastingress.translate.findings import Finding, error, warning

T = TypeVar("T")

_SHOWN = 80
_MOST_FINDINGS = 20


class Reading(Struct, frozen=True):
    """What the annotations of an Ingress say."""

    values: Values
    policy: Policy = Policy()
    upstream: Upstream = Upstream()
    client_auth: ClientAuth | None = None
    """Its authority is of any namespace."""
    closed: bool = False
    """Something that keeps people out could not be read: answer 503."""
    left_out: bool = False
    """Not to be served at all."""
    findings: tuple[Finding, ...] = ()


_NOTHING = Reading(Values())


class Given(Struct, frozen=True, gc=False):
    """A key that is there: without prefix, in full, and its value."""

    name: str
    key: str
    value: str


def read(annotations: Mapping[str, str], prefixes: tuple[str, ...]) -> Reading:
    """The annotations of an Ingress. Never raises."""
    relevant = [(key, value) for key, value in annotations.items() if key.startswith(prefixes)] if annotations else None
    return _read(tuple(sorted(relevant)), prefixes) if relevant else _NOTHING


@lru_cache(maxsize=1024)
def _read(relevant: tuple[tuple[str, str], ...], prefixes: tuple[str, ...]) -> Reading:
    """Many Ingresses say the same, so the last readings are kept."""
    draft = Draft()
    given = _given(relevant, prefixes, draft.findings)
    closed = left_out = False
    for item in given.values():
        annotation = NAMES.get(item.name)
        if annotation is None:
            effect = _not_read(item, draft.findings)
            closed |= effect == "closed"
            left_out |= effect == "left out"
        elif annotation.on != "Ingress":
            draft.findings.append(warning("MisplacedAnnotation", f"annotation {item.key} belongs on a {annotation.on}"))
        else:
            closed |= not _take(annotation, item, given, draft)
    met = (*draft.values.names(), *draft.failed)
    combining = {FAMILY_OF[name].title for name in met if name in FAMILY_OF}
    for family in FAMILIES:
        if family.combine and family.title in combining:
            family.combine(draft)
    findings = _bounded(draft.findings)
    return Reading(
        draft.values,
        Policy(**draft.policy),
        Upstream(**draft.upstream),
        draft.client_auth,
        closed,
        left_out,
        findings,
    )


def _bounded(findings: list[Finding]) -> tuple[Finding, ...]:
    """What is wrong, errors first, and of a flood its beginning: each is a log line and an Event."""
    if len(findings) <= _MOST_FINDINGS:
        return tuple(findings)
    worst = sorted(findings, key=lambda finding: finding.severity != "error")[:_MOST_FINDINGS]
    rest = len(findings) - len(worst)
    return (*worst, warning("ManyProblems", f"{rest} more annotations have problems; these are not listed"))


def single(
    annotation: Annotation[T], annotations: Mapping[str, str], prefixes: tuple[str, ...]
) -> tuple[T | None, list[Finding]]:
    """One annotation of an object that is no Ingress. None when it is absent or bad."""
    for prefix in prefixes if annotations else ():
        text = annotations.get(prefix + annotation.name, "")
        if text.strip():
            try:
                return annotation.type.parse(text), []
            except ValueError as cause:
                return None, [_invalid(annotation, Given(annotation.name, prefix + annotation.name, text), cause)]
    return None, []


def _given(
    relevant: tuple[tuple[str, str], ...], prefixes: tuple[str, ...], findings: list[Finding]
) -> dict[str, Given]:
    """By name without prefix. A key without a value counts as absent."""
    given: dict[str, Given] = {}
    for prefix in prefixes:
        for key, value in relevant:
            name = key[len(prefix) :]
            if not key.startswith(prefix) or not value.strip():
                continue
            if name in given:
                winner = given[name].key
                findings.append(warning("DuplicateAnnotation", f"annotation {key} has no effect beside {winner}"))
            else:
                given[name] = Given(name, key, value)
    return given


def _take(annotation: Annotation[Any], item: Given, given: Mapping[str, Given], draft: Draft) -> bool:
    """False when the value is bad and the Ingress must be closed for it."""
    if item.name != annotation.name and annotation.name in given:
        winner = given[annotation.name].key
        draft.findings.append(warning("DuplicateAnnotation", f"annotation {item.key} has no effect beside {winner}"))
        return True
    try:
        value = annotation.type.parse(item.value)
    except ValueError as cause:
        draft.findings.append(_invalid(annotation, item, cause, given))
        draft.failed.add(annotation.name)
        return not annotation.fails_closed
    draft.values.put(annotation, value)
    if annotation.policy:
        draft.policy[annotation.policy] = value
    if annotation.upstream:
        draft.upstream[annotation.upstream] = value
    return True


def _invalid(
    annotation: Annotation[Any], item: Given, cause: ValueError, given: Mapping[str, Given] | None = None
) -> Finding:
    if annotation.on == "Service":
        fallback = "what is routed to it is answered 503"
    elif annotation.fails_closed:
        fallback = _closed(annotation, given or {})
    elif annotation.default:
        fallback = f"the default holds: {annotation.default}"
    else:
        fallback = "it is left out"
    return error("InvalidAnnotation", f"annotation {item.key}: {_shown(item.value)}: {cause}; {fallback}")


def _closed(annotation: Annotation[Any], given: Mapping[str, Given]) -> str:
    """Clients are judged before an endpoint is asked, and a bad value beside an authority lets none of them in."""
    if annotation in client_certificates.FAMILY.annotations and client_certificates.AUTHORITY.name in given:
        return client_certificates.BAD_VALUE
    return "the routes of this Ingress answer 503 until it is mended"


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")


def _not_read(item: Given, findings: list[Finding]) -> str:
    known = UNSUPPORTED.get(item.name)
    if known is None:
        findings.append(warning("UnknownAnnotation", f"annotation {item.key} is not known{_guess(item.name)}"))
        return "ignored"
    if item.value.strip().lower() in known.same_as_without:
        return "ignored"
    findings.append(_unsupported(item, known))
    return known.effect


def _unsupported(item: Given, known: Unsupported) -> Finding:
    message = f"annotation {item.key} is not supported"
    if known.effect == "closed":
        message += ": without it the routes would be open, so they answer 503 until it is taken out"
        return error("UnsupportedAnnotation", message)
    if known.effect == "left out":
        message += ": this Ingress would stand against the one it goes with, so it is not served"
        return error("UnsupportedAnnotation", message)
    return warning(
        "UnsupportedAnnotation", f"{message}; {known.hint}" if known.hint else f"{message} and has no effect"
    )


def _guess(name: str) -> str:
    close = difflib.get_close_matches(name, [*NAMES, *UNSUPPORTED], n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
