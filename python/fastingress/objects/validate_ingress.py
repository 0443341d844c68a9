"""What an API server would refuse an Ingress or an IngressClass for."""

from __future__ import annotations

from collections.abc import Iterator

from fastingress.objects import syntax
from fastingress.objects.ingress import (
    LEGACY_CLASS_ANNOTATION,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressRule,
    IngressServiceBackend,
    IngressTLS,
)


def ingress_faults(ingress: Ingress) -> Iterator[str]:
    """As on creation."""
    spec = ingress.spec
    if spec.ingress_class_name is not None:
        if LEGACY_CLASS_ANNOTATION in ingress.metadata.annotations:
            yield f"metadata.annotations[{LEGACY_CLASS_ANNOTATION}]: can not be set when the class field is also set"
        if fault := syntax.subdomain_fault(spec.ingress_class_name):
            yield f"spec.ingressClassName: {fault}"
    if spec.default_backend is not None:
        yield from _backend_faults(spec.default_backend, "spec.defaultBackend")
    if not spec.rules and spec.default_backend is None:
        yield "spec: Invalid value: either `defaultBackend` or `rules` must be specified"
    for index, tls in enumerate(spec.tls):
        yield from _tls_faults(tls, f"spec.tls[{index}]")
    for index, rule in enumerate(spec.rules):
        yield from _rule_faults(rule, f"spec.rules[{index}]")


def ingress_class_faults(ingress_class: IngressClass) -> Iterator[str]:
    """As on creation."""
    controller = ingress_class.spec.controller
    domain, slash, path = controller.partition("/")
    if not controller:
        yield "spec.controller: Required value"
    elif len(controller) > 250 or not slash or not path or syntax.subdomain_fault(domain):
        yield f'spec.controller: Invalid value: "{controller[:250]}": must be a path with a domain, as in "acme.io/foo"'
    parameters = ingress_class.spec.parameters
    if parameters is None:
        return
    for field, value in (("kind", parameters.kind), ("name", parameters.name)):
        if not value:
            yield f"spec.parameters.{field}: Required value"
    if parameters.scope == "Namespace" and not parameters.namespace:
        yield 'spec.parameters.namespace: Required value: `parameters.scope` is set to "Namespace"'
    if parameters.scope == "Cluster" and parameters.namespace:
        yield 'spec.parameters.namespace: Forbidden: `parameters.scope` is set to "Cluster"'


def _tls_faults(tls: IngressTLS, at: str) -> Iterator[str]:
    for position, host in enumerate(tls.hosts):
        if fault := syntax.host_fault(host):
            yield f"{at}.hosts[{position}]: {fault}"
    if tls.secret_name and (fault := syntax.subdomain_fault(tls.secret_name)):
        yield f"{at}.secretName: {fault}"


def _rule_faults(rule: IngressRule, at: str) -> Iterator[str]:
    if rule.host and (fault := syntax.host_fault(rule.host)):
        yield f"{at}.host: {fault}"
    if rule.http is None:
        return
    if not rule.http.paths:
        yield f"{at}.http.paths: Required value"
    for index, path in enumerate(rule.http.paths):
        if fault := syntax.path_fault(path.path, path.path_type):
            yield f"{at}.http.paths[{index}].path: {fault}"
        yield from _backend_faults(path.backend, f"{at}.http.paths[{index}].backend")


def _backend_faults(backend: IngressBackend, at: str) -> Iterator[str]:
    if backend.service is not None and backend.resource is not None:
        yield f"{at}: Invalid value: cannot set both resource and service backends"
    elif backend.resource is not None:
        for field, value in (("kind", backend.resource.kind), ("name", backend.resource.name)):
            if not value:
                yield f"{at}.resource.{field}: Required value"
    elif backend.service is not None:
        yield from _service_faults(backend.service, f"{at}.service")
    else:
        yield f"{at}: Invalid value: resource or service backend is required"


def _service_faults(service: IngressServiceBackend, at: str) -> Iterator[str]:
    if not service.name:
        yield f"{at}.name: Required value"
    elif fault := syntax.label_fault(service.name):
        yield f"{at}.name: {fault}"
    name, number = service.port.name, service.port.number
    if name and number:
        yield f"{at}.port: Invalid value: cannot set both port name & port number"
    elif name:
        if fault := syntax.port_name_fault(name):
            yield f"{at}.port.name: {fault}"
    elif number:
        if fault := syntax.port_fault(number):
            yield f"{at}.port.number: {fault}"
    else:
        yield f"{at}.port: Required value: port name or number is required"
