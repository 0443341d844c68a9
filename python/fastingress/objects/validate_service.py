"""What an API server would refuse a Service, an EndpointSlice or Endpoints for.

One of its rules is left out: loopback and link-local addresses are welcome, for endpoints written by hand may be
anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastingress.objects import syntax
from fastingress.objects.service import EndpointPort, Endpoints, EndpointSlice, Service, ServicePort

_MOST_ENDPOINTS = 1000
_MOST_ADDRESSES = 100


def service_faults(service: Service) -> Iterator[str]:
    """As on creation."""
    spec = service.spec
    if spec.type == "ExternalName":
        if not spec.external_name:
            yield "spec.externalName: Required value"
        elif fault := syntax.subdomain_fault(spec.external_name.removesuffix(".")):
            yield f"spec.externalName: {fault}"
    elif not spec.ports and spec.cluster_ip != "None":
        yield "spec.ports: Required value"
    names: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        at = f"spec.ports[{index}]"
        if not port.name and len(spec.ports) > 1:
            yield f"{at}.name: Required value"
        if port.name in names:
            yield f'{at}.name: Duplicate value: "{port.name}"'
        if (port.protocol, port.port) in numbers:
            yield f"{at}: Duplicate value: {port.protocol} {port.port}"
        names.add(port.name)
        numbers.add((port.protocol, port.port))
        yield from _port_faults(port, at)


def endpoint_slice_faults(item: EndpointSlice) -> Iterator[str]:
    """As on creation."""
    if len(item.endpoints) > _MOST_ENDPOINTS:
        yield f"endpoints: Too many: {len(item.endpoints)}: must have at most {_MOST_ENDPOINTS} items"
    for index, endpoint in enumerate(item.endpoints):
        if not endpoint.addresses:
            yield f"endpoints[{index}].addresses: Required value: must contain at least 1 address"
        if len(endpoint.addresses) > _MOST_ADDRESSES:
            yield f"endpoints[{index}].addresses: Too many: must have at most {_MOST_ADDRESSES} items"
        for position, address in enumerate(endpoint.addresses):
            if fault := syntax.address_fault(address, item.address_type):
                yield f"endpoints[{index}].addresses[{position}]: {fault}"
    yield from _endpoint_port_faults(item.ports, "ports", port_required=False)


def endpoints_faults(item: Endpoints) -> Iterator[str]:
    """As on creation."""
    for index, subset in enumerate(item.subsets):
        at = f"subsets[{index}]"
        if not subset.addresses and not subset.not_ready_addresses:
            yield f"{at}: Required value: must specify `addresses` or `notReadyAddresses`"
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for position, address in enumerate(addresses):
                if fault := syntax.address_fault(address.ip, "IP"):
                    yield f"{at}.{field}[{position}].ip: {fault}"
        yield from _endpoint_port_faults(subset.ports, f"{at}.ports", port_required=True)


def _port_faults(port: ServicePort, at: str) -> Iterator[str]:
    if port.name and (fault := syntax.label_fault(port.name)):
        yield f"{at}.name: {fault}"
    if fault := syntax.port_fault(port.port):
        yield f"{at}.port: {fault}"
    target = port.target_port
    if isinstance(target, int) and (fault := syntax.port_fault(target)):
        yield f"{at}.targetPort: {fault}"
    if isinstance(target, str) and (fault := syntax.port_name_fault(target)):
        yield f"{at}.targetPort: {fault}"


def _endpoint_port_faults(ports: tuple[EndpointPort, ...], at: str, *, port_required: bool) -> Iterator[str]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        if port.name and (fault := syntax.label_fault(port.name)):
            yield f"{at}[{index}].name: {fault}"
        if port_required and len(ports) > 1 and not port.name:
            yield f"{at}[{index}].name: Required value"
        elif port.name in names:
            yield f'{at}[{index}].name: Duplicate value: "{port.name}"'
        names.add(port.name)
        if port.port is None:
            if port_required:
                yield f"{at}[{index}].port: Required value"
        elif fault := syntax.port_fault(port.port):
            yield f"{at}[{index}].port: {fault}"
