"""Which Ingresses are ours: by the controller of an IngressClass, by class name, or without a class.

It does not fill in the class for anyone else to see; what the parameters of a class say is read in `parameters`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from fastingress.objects import Ingress, IngressClass
from fastingress.store import View
from fastingress.translate.findings import Finding, warning
from fastingress.translate.options import Options

LEGACY_ANNOTATION = "kubernetes.io/ingress.class"


class Verdict(Struct, frozen=True, gc=False):
    """Whether an Ingress is ours, and what its owner should know about that."""

    ours: bool
    findings: tuple[Finding, ...] = ()
    class_name: str = ""
    """The IngressClass of ours whose parameters hold for it, if it has parameters."""


_OURS = Verdict(True)
_NOT_OURS = Verdict(False)


def judge(view: View, ingress: Ingress, options: Options) -> Verdict:
    """Looks at the field, then at the legacy annotation, then at the default class.

    When field and annotation name different classes the field decides, and it is a problem if either is ours.
    """
    field = ingress.spec.ingress_class_name or ""
    legacy = ingress.metadata.annotations.get(LEGACY_ANNOTATION, "") if ingress.metadata.annotations else ""
    if field and legacy and field != legacy:
        return _contradiction(view, field, legacy, options)
    if field or legacy:
        return _of_class(view, field or legacy, options, legacy=not field)
    return _without_class(view, options)


def _of_class(view: View, name: str, options: Options, *, legacy: bool = False) -> Verdict:
    """The annotation may name our class without there being an IngressClass, as it could before there were any."""
    found = view.get("IngressClass", "", name)
    if found is not None and found.spec.controller == options.controller_class:
        return _OURS if found.spec.parameters is None else Verdict(True, class_name=name)
    by_name = name == options.ingress_class and (options.class_by_name or (legacy and found is None))
    return _OURS if by_name or options.all_classes else _NOT_OURS


def _contradiction(view: View, field: str, legacy: str, options: Options) -> Verdict:
    verdict = _of_class(view, field, options)
    if not verdict.ours and not _of_class(view, legacy, options, legacy=True).ours:
        return _NOT_OURS
    message = (
        f"annotation {LEGACY_ANNOTATION} says {legacy!r} and spec.ingressClassName says {field!r}: the field decides"
    )
    return msgspec.structs.replace(verdict, findings=(warning("ContradictoryClass", message),))


def _without_class(view: View, options: Options) -> Verdict:
    if options.assign_default_class:
        default = default_class(view)
        if default is not None:
            return _of_class(view, default.metadata.name, options)
    return _OURS if options.watch_without_class or options.all_classes else _NOT_OURS


def default_class(view: View) -> IngressClass | None:
    """The newest IngressClass that is marked as default; of several created in the same second the first by name."""
    marked = [item for item in view.list("IngressClass") if item.is_default]
    if not marked:
        return None
    newest = max(item.metadata.creation_timestamp or "" for item in marked)
    if newest:
        return min((i for i in marked if i.metadata.creation_timestamp == newest), key=lambda item: item.metadata.name)
    return max(marked, key=lambda item: item.age)


def check_own_class(view: View, options: Options) -> list[Finding]:
    """What is wrong with the IngressClass that the user named, where the name alone decides."""
    if not options.class_by_name:
        return []
    found = view.get("IngressClass", "", options.ingress_class)
    if found is None or found.spec.controller == options.controller_class:
        return []
    message = (
        f"spec.controller is {found.spec.controller!r}, not {options.controller_class!r}: Ingresses of this class are "
        "served because --ingress-class names it; see to it that no other controller serves them too"
    )
    return [Finding("ClassOfOtherController", "warning", message, found.ref, found.origin)]
