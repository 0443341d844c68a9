"""Services to endpoint sets: which addresses stand behind one port of a Service.

What the `appProtocol` of the port says goes along. A Service that is not there, or has no such port, is *unknown*; one
whose endpoints are all gone is *empty*. It does not choose among endpoints and does not resolve names: an ExternalName
crosses as a name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from fastingress.model import DnsTarget, EndpointSet
from fastingress.objects import Endpoint, EndpointPort, Service, ServicePort
from fastingress.store import View
from fastingress.translate.annotations.endpoints import ENDPOINTS, Host
from fastingress.translate.annotations.protocol import OF_SERVICES
from fastingress.translate.annotations.reading import single
from fastingress.translate.annotations.values import host_name
from fastingress.translate.findings import Finding, error, warning
from fastingress.translate.options import Options

_UNKNOWN = EndpointSet()
_AT_CLUSTER_IP = "@cluster-ip"
_UDP = "@udp"


def endpoints_key(namespace: str, service: str, port: str, *, cluster_ip: bool = False, udp: bool = False) -> str:
    """`namespace/service:port`, port as the Ingress wrote it; empty for the first port of the Service.

    With `cluster_ip` of the ClusterIP in place of the endpoints behind it: `namespace/service:port@cluster-ip`. With
    `udp` of a port of that protocol: `namespace/service:port@udp`.
    """
    return f"{namespace}/{service}:{port}{_AT_CLUSTER_IP if cluster_ip else ''}{_UDP if udp else ''}"


def translate_endpoints(view: View, key: str, options: Options) -> tuple[EndpointSet, list[Finding]]:
    """The endpoint set of a key that `endpoints_key` made."""
    layer = "UDP" if key.endswith(_UDP) else "TCP"
    path, _, port = key.removesuffix(_UDP).removesuffix(_AT_CLUSTER_IP).rpartition(":")
    service = view.get("Service", *path.split("/", 1))
    if service is None:
        return _UNKNOWN, [error("MissingService", f"Service {path} does not exist", unserved=True)]
    by_hand, findings = single(ENDPOINTS, service.metadata.annotations, options.annotation_prefixes)
    if findings:
        return _UNKNOWN, [Finding(f.code, f.severity, f.message, service.ref, service.origin) for f in findings]
    chosen = _service_port(service, port, layer)
    value, findings = _found(view, key, service, chosen, by_hand, options)
    if chosen is None or chosen.app_protocol is None or not value.known:
        return value, findings
    protocol = OF_SERVICES.get(chosen.app_protocol)
    if protocol is None:
        return value, [*findings, _unknown_protocol(service, chosen)]
    return msgspec.structs.replace(value, protocol=protocol), findings


def _found(
    view: View,
    key: str,
    service: Service,
    chosen: ServicePort | None,
    by_hand: tuple[Host, ...] | None,
    options: Options,
) -> tuple[EndpointSet, list[Finding]]:
    port = key.removesuffix(_UDP).removesuffix(_AT_CLUSTER_IP).rpartition(":")[2]
    if by_hand is not None and (chosen is not None or not service.spec.ports):
        return _by_hand(service, by_hand, options)
    if service.spec.type == "ExternalName":
        return _external(service, chosen, port, options)
    if chosen is None:
        return _UNKNOWN, [_missing_port(service, port, "UDP" if key.endswith(_UDP) else "TCP")]
    if not key.endswith(_AT_CLUSTER_IP):
        return _addresses(view, service, chosen, options)
    if _is_address(service.spec.cluster_ip):
        return EndpointSet(known=True, addresses=(_with_port(service.spec.cluster_ip, chosen.port),)), []
    value, found = _addresses(view, service, chosen, options)
    return value, [*found, _no_cluster_ip(service)]


def _no_cluster_ip(service: Service) -> Finding:
    path = f"{service.metadata.namespace}/{service.metadata.name}"
    return warning("NoClusterIP", f"Service {path} has no ClusterIP: its endpoints are used")


def _unknown_protocol(service: Service, port: ServicePort) -> Finding:
    message = (
        f"the appProtocol {port.app_protocol!r} of port {_described(port)} is not spoken here, so HTTP/1.1 is unless "
        f"an Ingress says otherwise; what is: {', '.join(OF_SERVICES)}"
    )
    return Finding("UnknownAppProtocol", "warning", message, service.ref, service.origin, of_requests=True)


def _service_port(service: Service, port: str, protocol: str) -> ServicePort | None:
    fitting = [item for item in service.spec.ports if item.protocol == protocol]
    if not port:
        return fitting[0] if fitting else None
    if port.isdecimal():
        number = int(port)
        return next((item for item in fitting if item.port == number), None)
    return next((item for item in fitting if item.name == port), None)


def _missing_port(service: Service, port: str, protocol: str = "TCP") -> Finding:
    path = f"{service.metadata.namespace}/{service.metadata.name}"
    there = ", ".join(map(_described, service.spec.ports))
    what = f"{'' if protocol == 'TCP' else 'UDP '}port {port}" if port else f"{protocol} port"
    return error("MissingPort", f"Service {path} has no {what}; it has {there or 'no ports'}", unserved=True)


def _described(port: ServicePort) -> str:
    words = [word for word in (port.name, "" if port.protocol == "TCP" else port.protocol) if word]
    return f"{port.port} ({', '.join(words)})" if words else str(port.port)


# --- endpoints written by hand, and names -------------------------------------------------------------------------


def _by_hand(service: Service, hosts: tuple[Host, ...], options: Options) -> tuple[EndpointSet, list[Finding]]:
    first = hosts[0]
    if not first.is_address:
        target = DnsTarget(name=first.name, port=first.port, allow_local=options.allow_local_endpoints)
        return EndpointSet(known=True, dns=target), []
    if not options.allow_local_endpoints:
        for host in hosts:
            if _is_local(host.name):
                return _UNKNOWN, [_local(service, host.name)]
    addresses = {_with_port(host.name, host.port) for host in hosts}
    return EndpointSet(known=True, addresses=tuple(sorted(addresses))), []


def _external(
    service: Service, chosen: ServicePort | None, port: str, options: Options
) -> tuple[EndpointSet, list[Finding]]:
    if chosen is not None:
        number = chosen.target_port if isinstance(chosen.target_port, int) else chosen.port
    elif port.isdecimal() and 0 < int(port) < 65536:
        number = int(port)
    else:
        return _UNKNOWN, [_missing_port(service, port)]
    name = service.spec.external_name
    if _is_address(name):
        if _is_local(name) and not options.allow_local_endpoints:
            return _UNKNOWN, [_local(service, name)]
        return EndpointSet(known=True, addresses=(_with_port(name, number),)), []
    try:
        name = host_name(name.rstrip("."))
    except ValueError as cause:
        message = f"spec.externalName: {cause}"
        return _UNKNOWN, [Finding("InvalidExternalName", "error", message, service.ref, service.origin)]
    target = DnsTarget(name=name, port=number, allow_local=options.allow_local_endpoints)
    return EndpointSet(known=True, dns=target), []


def _local(service: Service, address: str) -> Finding:
    message = f"{address} is a loopback, link-local or unspecified address, which a Service may not lead to here"
    return Finding("LocalEndpoint", "error", message, service.ref, service.origin)


def _is_address(text: str) -> bool:
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_local(text: str) -> bool:
    address = ipaddress.ip_address(text)
    inner = _embedded(address) or address
    return inner.is_loopback or inner.is_link_local or inner.is_unspecified or inner.is_multicast


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of version 4 that one of version 6 stands for, in either of two ways."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    number = int(address)
    if address.ipv4_mapped is None and 1 < number < 1 << 32:
        return ipaddress.IPv4Address(number)
    return address.ipv4_mapped


# --- endpoints of the cluster -------------------------------------------------------------------------------------


def _addresses(view: View, service: Service, port: ServicePort, options: Options) -> tuple[EndpointSet, list[Finding]]:
    """Those that are ready; when none is, those that are terminating but still serve."""
    namespace, name = service.metadata.namespace, service.metadata.name
    slices = view.slices_of(namespace, name)
    ready: set[str] = set()
    leaving: set[str] = set()
    zone = _zone(view, options)
    near: set[str] | None = set() if zone else None
    findings: list[Finding] = []
    for item in slices:
        if item.address_type == "FQDN":
            message = f"EndpointSlice {namespace}/{item.metadata.name} holds names, which are not served"
            findings.append(warning("UnsupportedAddressType", message))
            continue
        for number in _numbers(item.ports, port):
            for endpoint in item.endpoints:
                _sort_in(endpoint, number, ready, leaving)
                near = _sort_near(endpoint, number, zone, near)
    if not slices and not _from_endpoints(view, namespace, name, port, ready):
        message = f"Service {namespace}/{name} has no EndpointSlice and no Endpoints"
        findings.append(warning("NoEndpoints", message, unserved=True))
    if slices and not ready and not leaving:
        message = f"Service {namespace}/{name} has no endpoint that is ready"
        findings.append(warning("NoEndpoints", message, unserved=True))
    return EndpointSet(known=True, addresses=tuple(sorted(near or ready or leaving))), findings


def _zone(view: View, options: Options) -> str:
    """Our own, if endpoints of it are to be preferred and it is known."""
    node = view.get("Node", "", options.own_node) if options.own_node else None
    return node.zone if node is not None else ""


def _sort_near(endpoint: Endpoint, number: int, zone: str, near: set[str] | None) -> set[str] | None:
    """The ready ones that are meant for the zone; None once hints are not to be followed.

    As the API has it, hints count only if every endpoint has one: without, traffic would pile up on the few that do.
    """
    if near is None or not endpoint.conditions.ready:
        return near
    if endpoint.hints is None or not endpoint.hints.for_zones:
        return None
    if any(hint.name == zone for hint in endpoint.hints.for_zones):
        near.update(_with_port(address, number) for address in endpoint.addresses)
    return near


def _sort_in(endpoint: Endpoint, number: int, ready: set[str], leaving: set[str]) -> None:
    conditions = endpoint.conditions
    if conditions.ready:
        ready.update(_with_port(address, number) for address in endpoint.addresses)
    elif conditions.serving and conditions.terminating:
        leaving.update(_with_port(address, number) for address in endpoint.addresses)


def _from_endpoints(view: View, namespace: str, name: str, port: ServicePort, ready: set[str]) -> bool:
    """The older form. True if there is an object of it, empty or not."""
    found = view.get("Endpoints", namespace, name)
    if found is None:
        return False
    for subset in found.subsets:
        for number in _numbers(subset.ports, port):
            ready.update(_with_port(address.ip, number) for address in subset.addresses)
    return True


def _numbers(ports: tuple[EndpointPort, ...], wanted: ServicePort) -> Iterator[int]:
    """The port numbers that stand for `wanted`: by the name of the Service's port, as the API has it.

    Manifests written by hand often leave names out, so a lone port is taken too, and one that fits the target port.
    """
    spoken = [port for port in ports if port.protocol == wanted.protocol]
    target = wanted.target_port
    fitting = [port for port in spoken if port.name == wanted.name]
    if not fitting:
        fitting = [port for port in spoken if target in (port.name, port.port)]
    if not fitting and len(spoken) == 1 and not (spoken[0].name and wanted.name):
        fitting = spoken
    for port in fitting:
        number = port.port if port.port is not None else target
        if isinstance(number, int):
            yield number


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
