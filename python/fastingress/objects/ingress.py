"""Ingress and IngressClass (networking.k8s.io/v1): the fields that are read."""

from __future__ import annotations

import sys
from typing import ClassVar, Literal

from msgspec import Struct, field

from fastingress.objects.base import SETTINGS, Object, fill, shared
from fastingress.objects.status import LoadBalancerStatus

PathType = Literal["Exact", "Prefix", "ImplementationSpecific"]
LEGACY_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


class ServiceBackendPort(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The port of a Service, by name or by number: exactly one of the two is set."""

    name: str = ""
    number: int = 0


class IngressServiceBackend(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A Service of the Ingress's namespace, and its port."""

    name: str = ""
    port: ServiceBackendPort = ServiceBackendPort()


class ResourceRef(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Names an object of any kind in the Ingress's namespace."""

    kind: str = ""
    name: str = ""
    api_group: str | None = None


class IngressBackend(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Where requests go: exactly one of the two is set."""

    service: IngressServiceBackend | None = None
    resource: ResourceRef | None = None


class HTTPIngressPath(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One path rule. The path begins with `/`; it may be empty only for ImplementationSpecific."""

    path_type: PathType
    backend: IngressBackend
    path: str = ""


class HTTPIngressRule(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The paths of one rule; there is at least one."""

    paths: tuple[HTTPIngressPath, ...] = ()

    def __post_init__(self) -> None:
        """Backends that are equal are kept once, and so are the words that ten thousand Ingresses have in common."""
        backends: dict[IngressBackend, IngressBackend] = {}
        for path in self.paths:
            fill(path, "path", sys.intern(path.path))
            backend = backends.setdefault(path.backend, path.backend)
            if backend is not path.backend:
                fill(path, "backend", backend)
            elif backend.service is not None:
                fill(backend.service.port, "name", sys.intern(backend.service.port.name))


class IngressRule(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The rules of one host. The host is lower case, `*.` first for a wildcard, empty for every host."""

    host: str = ""
    http: HTTPIngressRule | None = None


class IngressTLS(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The hosts that a Secret has the certificate of."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What an Ingress asks for."""

    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTLS, ...] = ()
    rules: tuple[IngressRule, ...] = ()


class IngressStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What a controller said of an Ingress."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()

    def __post_init__(self) -> None:
        fill(self, "load_balancer", shared(self.load_balancer))


class Ingress(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """Rules that lead requests to Services."""

    kind: ClassVar[str] = "Ingress"
    annotations_read: ClassVar[tuple[str, ...]] = (*SETTINGS, LEGACY_CLASS_ANNOTATION)
    api_version: ClassVar[str] = "networking.k8s.io/v1"

    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()
    """Makes no difference to what is served, so that what is written there echoes nowhere."""
    status_managers: tuple[str, ...] = field(default=(), name="$statusManagers")
    """Who owns fields of the status, by their names for server-side apply, sorted."""

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        meta = self.metadata
        return (meta.uid, meta.annotations, self.is_leaving, self.age, self.spec)


class IngressClassParameters(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The object that holds the settings of a class."""

    kind: str = ""
    name: str = ""
    api_group: str | None = None
    scope: Literal["Cluster", "Namespace"] = "Cluster"
    namespace: str = ""


class IngressClassSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Which controller serves the class."""

    controller: str = ""
    parameters: IngressClassParameters | None = None


class IngressClass(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """A class that Ingresses can name."""

    kind: ClassVar[str] = "IngressClass"
    annotations_read: ClassVar[tuple[str, ...]] = (DEFAULT_CLASS_ANNOTATION,)
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    namespaced: ClassVar[bool] = False

    spec: IngressClassSpec = field(default=IngressClassSpec())

    @property
    def is_default(self) -> bool:
        """Whether it is the class of Ingresses that name none."""
        return self.metadata.annotations.get(DEFAULT_CLASS_ANNOTATION) == "true"

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        meta = self.metadata
        return (meta.uid, meta.annotations, self.is_leaving, self.age, self.spec)
