"""Namespace, Node and Pod (v1): read in a cluster alone, and skipped in manifests."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from fastingress.objects.base import Object

ZONE_LABEL = "topology.kubernetes.io/zone"


class NamespaceStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The life of a namespace."""

    phase: str = "Active"


class Namespace(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """A namespace."""

    kind: ClassVar[str] = "Namespace"
    api_version: ClassVar[str] = "v1"
    namespaced: ClassVar[bool] = False

    status: NamespaceStatus = NamespaceStatus()

    @property
    def is_leaving(self) -> bool:  # noqa: D102 # as in the base
        return super().is_leaving or self.status.phase == "Terminating"

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.is_leaving,)


class NodeAddress(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One address of a Node: `InternalIP`, `ExternalIP`, `Hostname`, `InternalDNS`, `ExternalDNS`."""

    type: str = ""
    address: str = ""


class NodeStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Where a Node can be reached."""

    addresses: tuple[NodeAddress, ...] = ()


class Node(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """A machine of the cluster."""

    kind: ClassVar[str] = "Node"
    api_version: ClassVar[str] = "v1"
    namespaced: ClassVar[bool] = False
    labels_read: ClassVar[frozenset[str]] = frozenset({ZONE_LABEL})

    status: NodeStatus = NodeStatus()

    @property
    def zone(self) -> str:
        """The zone it is in; empty when it does not say."""
        return self.metadata.labels.get(ZONE_LABEL, "")

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.zone,)


class PodSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Where a Pod runs."""

    node_name: str = ""


class PodStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The life of a Pod."""

    phase: str = ""


class Pod(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """A Pod: ours, and those that are replicas of it."""

    kind: ClassVar[str] = "Pod"
    api_version: ClassVar[str] = "v1"

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return ()
