"""What of a cluster is asked for: which namespaces, which kinds, and how. Plain values, read by all of this room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Decides what is watched and, with it, which permissions are needed.

    With neither `namespaces` nor `namespace_selector` all namespaces are watched; both together are refused.
    """

    namespaces: tuple[str, ...] = ()
    """The only namespaces that are watched."""
    namespace_selector: str = ""
    """A label selector; the namespaces that match it are watched, while they do."""
    secret_access: Literal["watch", "named"] = "watch"
    """`watch`: all Secrets of the watched namespaces, of which only those that are needed are kept. `named`: each
    needed one on its own, which needs no permission to list any."""
    ingress_class: str = "fastingress"
    controller_class: str = "fastingress.io/ingress-controller"
    """Name and controller of the class that is taken to be there when IngressClasses may not be read."""
    own_namespace: str = "default"
    own_node: str = ""
    own_pod: str = ""
    publish_service: str = ""
    """`namespace/name` of the Service whose addresses are published; empty for none."""
    config_maps: tuple[str, ...] = ()
    """`namespace/name` of the ConfigMaps that flags name."""
    nodes: bool = False
    """Whether addresses of Nodes are published: all Nodes and the Pods of the own namespace are watched."""
    zone: bool = False
    """Whether the own zone is asked for: the own Node is watched."""
    update_status: bool = True
    publish_events: bool = True
    election_id: str = "fastingress-leader"

    def __post_init__(self) -> None:
        if self.namespaces and self.namespace_selector:
            raise ValueError("namespaces by name and by selector exclude each other")

    @property
    def cluster_wide(self) -> bool:
        """Whether permissions are needed in all namespaces: a selector may match any of them."""
        return not self.namespaces

    def watches(self, namespace: str) -> bool:
        """Whether a namespace is watched for certain: one that a selector has to match is not."""
        return namespace in self.namespaces if self.namespaces else not self.namespace_selector

    def covers(self, namespace: str) -> bool:
        """Whether the permissions of watched namespaces hold there; nothing may be written where they do not."""
        return not self.namespaces or namespace in self.namespaces
