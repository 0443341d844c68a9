"""Service, EndpointSlice and Endpoints: what stands behind a backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct, field

from fastingress.objects.base import SETTINGS, Object, fill, shared
from fastingress.objects.status import LoadBalancerStatus

Protocol = Literal["TCP", "UDP", "SCTP"]
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class ServicePort(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One port of a Service."""

    port: int
    name: str = ""
    target_port: int | str | None = None
    """A number, or the name of a container's port. Never None once decoded: the default is `port`."""
    protocol: Protocol = "TCP"
    app_protocol: str | None = None

    def __post_init__(self) -> None:
        if self.target_port is None or self.target_port in (0, ""):
            fill(self, "target_port", self.port)


class ServiceSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What a Service offers."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = field(default="", name="clusterIP")
    """`None`, the word, for a headless Service."""
    external_name: str = ""
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    publish_not_ready_addresses: bool = False

    def __post_init__(self) -> None:
        fill(self, "ports", shared(self.ports))


class ServiceStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What the cluster says of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """A name for a set of endpoints."""

    kind: ClassVar[str] = "Service"
    api_version: ClassVar[str] = "v1"
    annotations_read: ClassVar[tuple[str, ...]] = SETTINGS

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()
    """Makes no difference to what is served."""

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.metadata.annotations, self.spec)


class EndpointConditions(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The state of an endpoint. Unknown means ready; `serving` is what `ready` is unless it is stated."""

    ready: bool = True
    serving: bool | None = None
    """Never None once decoded."""
    terminating: bool = False

    def __post_init__(self) -> None:
        if self.serving is None:
            fill(self, "serving", self.ready)


class ForZone(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A zone that an endpoint is meant for."""

    name: str = ""


class EndpointHints(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Who an endpoint is meant for."""

    for_zones: tuple[ForZone, ...] = ()


class Endpoint(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One endpoint; all its addresses reach the same thing."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    hints: EndpointHints | None = None

    def __post_init__(self) -> None:
        fill(self, "conditions", shared(self.conditions))


class EndpointPort(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A port of endpoints; its name is that of the Service's port. No number means all ports."""

    name: str = ""
    port: int | None = None
    protocol: Protocol = "TCP"
    app_protocol: str | None = None


class EndpointSlice(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """Some of the endpoints of a Service (discovery.k8s.io/v1)."""

    kind: ClassVar[str] = "EndpointSlice"
    api_version: ClassVar[str] = "discovery.k8s.io/v1"
    labels_read: ClassVar[frozenset[str]] = frozenset({SERVICE_NAME_LABEL})

    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    def __post_init__(self) -> None:
        fill(self, "ports", shared(self.ports))

    @property
    def service_name(self) -> str:
        """The Service it belongs to, in its own namespace; empty if it belongs to none."""
        return self.metadata.labels.get(SERVICE_NAME_LABEL, "")

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.service_name, self.address_type, self.endpoints, self.ports)


class EndpointAddress(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The address of one endpoint."""

    ip: str = ""


class EndpointSubset(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Addresses that all have the same ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """The endpoints of the Service of the same name, in the older form (v1)."""

    kind: ClassVar[str] = "Endpoints"
    api_version: ClassVar[str] = "v1"

    subsets: tuple[EndpointSubset, ...] = ()

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.subsets,)
