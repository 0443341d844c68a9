"""The names of all fields that the API knows, so that a misspelt one can be told from one that is merely not read.

A shape is a mapping of field name to the shape of its value; None is a value that is not looked into. A list has the
shape of its items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

Shape = Optional[Mapping[str, "Shape"]]  # noqa: UP045 # evaluated at run time, and recursive


def _names(text: str) -> dict[str, Shape]:
    return dict.fromkeys(text.split())


_META = _names(
    "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp"
    " deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields"
)
_TOP: dict[str, Shape] = {"apiVersion": None, "kind": None, "metadata": _META}
_BACKEND: dict[str, Shape] = {
    "service": {"name": None, "port": _names("name number")},
    "resource": _names("apiGroup kind name"),
}
_PATH: dict[str, Shape] = {"path": None, "pathType": None, "backend": _BACKEND}
_ENDPOINT_PORT = _names("name protocol port appProtocol")
_ADDRESS = _names("ip hostname nodeName targetRef")
_SHAPES: dict[str, dict[str, Shape]] = {
    "Ingress": {
        **_TOP,
        "spec": {
            "ingressClassName": None,
            "defaultBackend": _BACKEND,
            "tls": _names("hosts secretName"),
            "rules": {"host": None, "http": {"paths": _PATH}},
        },
        "status": None,
    },
    "IngressClass": {
        **_TOP,
        "spec": {"controller": None, "parameters": _names("apiGroup kind name scope namespace")},
    },
    "Service": {
        **_TOP,
        "spec": {
            **_names(
                "selector clusterIP clusterIPs type externalIPs sessionAffinity sessionAffinityConfig loadBalancerIP"
                " loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort"
                " publishNotReadyAddresses ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass"
                " internalTrafficPolicy trafficDistribution"
            ),
            "ports": _names("name protocol appProtocol port targetPort nodePort"),
        },
        "status": None,
    },
    "EndpointSlice": {
        **_TOP,
        "addressType": None,
        "ports": _ENDPOINT_PORT,
        "endpoints": {
            **_names("addresses hostname targetRef deprecatedTopology nodeName zone hints"),
            "conditions": _names("ready serving terminating"),
        },
    },
    "Endpoints": {
        **_TOP,
        "subsets": {"addresses": _ADDRESS, "notReadyAddresses": _ADDRESS, "ports": _ENDPOINT_PORT},
    },
    "Secret": {**_TOP, **_names("immutable data stringData type")},
    "ConfigMap": {**_TOP, **_names("immutable data binaryData")},
}


def unknown_fields(raw: Mapping[str, Any], kind: str, most: int) -> list[str]:
    """The paths of up to `most` fields that the API does not know: outer ones before the inner ones."""
    found: list[str] = []
    _collect(raw, _KNOWN[kind], "", found)
    return found[:most]


class _Known(NamedTuple):
    """A shape, made ready for looking at tens of thousands of objects."""

    names: frozenset[str]
    inner: tuple[tuple[str, _Known], ...]


def _known(shape: Mapping[str, Shape]) -> _Known:
    inner = tuple((name, _known(value)) for name, value in shape.items() if value is not None)
    return _Known(frozenset(shape), inner)


_KNOWN = {kind: _known(shape) for kind, shape in _SHAPES.items()}


def _collect(value: Any, known: _Known, path: str, found: list[str]) -> None:
    if isinstance(value, dict):
        if not known.names.issuperset(value):
            found.extend(f"{path}{name}" for name in value if name not in known.names)
        for name, inner in known.inner:
            if name in value:
                _collect(value[name], inner, f"{path}{name}.", found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, known, f"{path[:-1]}[{index}].", found)
