"""The reference page of annotations, written from the declarations."""

from __future__ import annotations

from collections.abc import Iterator

from fastingress.translate.annotations import client_certificates
from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.known import UNSUPPORTED
from fastingress.translate.annotations.registry import FAMILIES
from fastingress.translate.parameters import PARAMETERS

_INTRODUCTION = """\
# Annotations

Every key works with the prefix `fastingress.io/` and with `nginx.ingress.kubernetes.io/`; when both are given,
`fastingress.io/` wins. An empty value counts as absent. A value that cannot be read is a problem
(`InvalidAnnotation`) that names the Ingress, the key and the value; what then holds is in the column *bad value*:
`default`, or `503` for keys that guard something, since the routes must not be open for a typing mistake. With `400`
clients are refused before an endpoint is asked; beside no `auth-tls-secret` that is 503 as well.
"""
_HEAD = """\
| key | value | default | reaches | risk | bad value | meaning |
|-|-|-|-|-|-|-|
"""
_PARAMETERS = """\
## Parameters of a class

In a cluster, an IngressClass can name a ConfigMap whose keys are the defaults of all its Ingresses, in place of those
of the command line:

    spec:
      controller: fastingress.io/ingress-controller
      parameters: {kind: ConfigMap, name: edge-settings, scope: Namespace, namespace: edge}

An edit of the ConfigMap is live like any other. An annotation of an Ingress wins over it.

| key | value | meaning |
|-|-|-|
"""
_UNSUPPORTED = """\
## Known and not supported

These keys of ingress-nginx have no effect; an Ingress that has one gets the problem `UnsupportedAnnotation`, unless the
value asks for what happens anyway. Where ignoring the key would open what was closed, the routes answer 503, and
where the Ingress would stand against its neighbour it is not served.

| key | what happens |
|-|-|
"""


def reference_markdown() -> str:
    """The whole page, as Markdown."""
    parameters = _PARAMETERS + "".join(_parameter_rows())
    unsupported = _UNSUPPORTED + "".join(_unsupported_rows())
    return "\n".join((_INTRODUCTION, *map(_section, FAMILIES), parameters, unsupported))


def _section(family: Family) -> str:
    return f"## {family.title}\n\n{_HEAD}" + "".join(map(_row, family.annotations))


def _row(annotation: Annotation[object]) -> str:
    names = " or ".join(f"`{name}`" for name in (annotation.name, *annotation.aliases))
    value = f"{annotation.type.name}, as in `{annotation.type.example}`"
    guard = "400" if annotation in client_certificates.FAMILY.annotations else "503"
    bad = guard if annotation.fails_closed else "default"
    cells = (names, value, annotation.default, annotation.scope, annotation.risk, bad, annotation.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _parameter_rows() -> Iterator[str]:
    for parameter in PARAMETERS:
        yield f"| `{parameter.name}` | {parameter.type.name}, as in `{parameter.type.example}` | {parameter.doc} |\n"


def _unsupported_rows() -> Iterator[str]:
    outcome = {"ignored": "no effect", "closed": "routes answer 503", "left out": "the Ingress is not served"}
    for name, known in sorted(UNSUPPORTED.items()):
        yield f"| `{name}` | {outcome[known.effect]}{'; ' + known.hint if known.hint else ''} |\n"
