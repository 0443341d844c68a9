"""What an API server would refuse an object for, as messages that begin with the path of the field.

Works on decoded objects. What decoding itself finds (types, missing fields, words that are not among the supported
ones) is not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastingress.objects import syntax
from fastingress.objects.base import Object
from fastingress.objects.validate_config import config_map_faults, secret_faults
from fastingress.objects.validate_ingress import ingress_class_faults, ingress_faults
from fastingress.objects.validate_service import endpoint_slice_faults, endpoints_faults, service_faults

_MOST_ANNOTATION_BYTES = 256 << 10
_RULES: dict[str, Callable[[Any], Iterator[str]]] = {
    "Ingress": ingress_faults,
    "IngressClass": ingress_class_faults,
    "Service": service_faults,
    "EndpointSlice": endpoint_slice_faults,
    "Endpoints": endpoints_faults,
    "Secret": secret_faults,
    "ConfigMap": config_map_faults,
}


def faults_of(item: Object) -> list[str]:
    """All that is wrong with the object, in the order of the API server's checks; empty if it is accepted."""
    return [*_metadata_faults(item), *_RULES[item.kind](item)]


def _metadata_faults(item: Object) -> Iterator[str]:
    meta = item.metadata
    name_fault = syntax.label_fault if item.kind == "Service" else syntax.subdomain_fault
    if not meta.name:
        yield "metadata.name: Required value: name must be specified"
    elif fault := name_fault(meta.name):
        yield f"metadata.name: {fault}"
    if item.namespaced and (fault := syntax.label_fault(meta.namespace)):
        yield f"metadata.namespace: {fault}"
    for key, value in meta.labels.items():
        if fault := syntax.qualified_name_fault(key) or syntax.label_value_fault(value):
            yield f"metadata.labels[{key}]: {fault}"
    for key in meta.annotations:
        if fault := syntax.qualified_name_fault(key.lower()):
            yield f"metadata.annotations[{key}]: {fault}"
    if sum(len(key) + len(value) for key, value in meta.annotations.items()) > _MOST_ANNOTATION_BYTES:
        yield f"metadata.annotations: Too long: may not be more than {_MOST_ANNOTATION_BYTES} bytes"
