"""Which Ingresses are ours: by class name, by the controller of an IngressClass, or without a class.

It does not fill in the class for anyone else to see, and it does not read what the parameters of a class say.
"""

from __future__ import annotations

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
    named = field or legacy
    if named:
        return _OURS if _is_ours(view, named, options) else _NOT_OURS
    return _without_class(view, options)


def _is_ours(view: View, name: str, options: Options) -> bool:
    if name == options.ingress_class:
        return True
    found = view.get("IngressClass", "", name)
    return found is not None and found.spec.controller == options.controller_class


def _contradiction(view: View, field: str, legacy: str, options: Options) -> Verdict:
    ours, other = _is_ours(view, field, options), _is_ours(view, legacy, options)
    if not ours and not other:
        return _NOT_OURS
    message = (
        f"annotation {LEGACY_ANNOTATION} says {legacy!r} and spec.ingressClassName says {field!r}: the field decides"
    )
    return Verdict(ours, (warning("ContradictoryClass", message),))


def _without_class(view: View, options: Options) -> Verdict:
    if options.assign_default_class:
        default = default_class(view)
        if default is not None:
            return _OURS if _is_ours(view, default.metadata.name, options) else _NOT_OURS
    return _OURS if options.watch_without_class else _NOT_OURS


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
    """What is wrong with the IngressClass that the user named."""
    found = view.get("IngressClass", "", options.ingress_class)
    if found is None or found.spec.controller == options.controller_class:
        return []
    message = (
        f"spec.controller is {found.spec.controller!r}, not {options.controller_class!r}: Ingresses of this class are "
        "served because --ingress-class names it; see to it that no other controller serves them too"
    )
    return [Finding("ClassOfOtherController", "warning", message, found.ref, found.origin)]
