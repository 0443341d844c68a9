"""The addresses at which the gateway is reached, as they go into the status of every Ingress.

They come from one place: fixed ones, or a Service, or the Nodes that run our Pods; the first that is set up counts.
Nothing here ever turns known addresses into none: when the Service is missing or has no address yet, or no Node is
known, the last known ones stay, and a problem says so. A status that is right but old leads to a gateway; an empty one
makes DNS records vanish.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from fastingress.objects import LoadBalancerIngress, Node, Service
from fastingress.problems import Problem
from fastingress.store import View

Nodes = Literal["off", "internal", "external"]

_SCOPE = "status"
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
_TYPES: dict[str, tuple[str, ...]] = {
    "internal": ("InternalIP", "InternalDNS", "Hostname"),
    "external": ("ExternalIP", "ExternalDNS"),
}
"""Of the addresses of a Node those of the first type that it has any of. An external one may be missing everywhere."""


def parse_address(text: str) -> LoadBalancerIngress:
    """An IP or a host name. Raises ValueError for what the API would refuse."""
    try:
        if "%" not in text:  # Python knows zones of IPv6, the API does not
            return LoadBalancerIngress(ip=str(ipaddress.ip_address(text)))
    except ValueError:
        pass
    name = text.lower().rstrip(".")
    if not _HOST_NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise ValueError(f"neither an IP address nor a host name: {text!r}")
    return LoadBalancerIngress(hostname=name)


class Addresses:
    """The addresses of now, from `fixed`, or from the Service (namespace and name), or from Nodes of that kind.

    `problems` takes what is wrong, by scope. `refresh` is to be called when a Service, Node or Pod has changed.
    """

    def __init__(
        self,
        view: View,
        *,
        fixed: Sequence[LoadBalancerIngress] = (),
        service: tuple[str, str] | None = None,
        nodes: Nodes = "off",
        problems: Callable[[Mapping[str, Iterable[Problem]]], object],
    ) -> None:
        self.now: tuple[LoadBalancerIngress, ...] = _sorted(fixed)
        """Sorted, each once; none when none was ever known."""
        self._view = view
        self._fixed = bool(fixed)
        self._service = service
        self._nodes = nodes
        self._problems = problems

    @property
    def configured(self) -> bool:
        """Whether there is a place they come from. Without one no status is ever written."""
        return self._fixed or self._service is not None or self._nodes != "off"

    def refresh(self) -> bool:
        """Look again. True when the addresses are others than before."""
        if self._fixed or not self.configured:
            return False
        found, problem = self._of_service(*self._service) if self._service else self._of_nodes()
        self._problems({_SCOPE: [problem] if problem else []})
        if not found or found == self.now:
            return False
        self.now = found
        return True

    def _of_service(self, namespace: str, name: str) -> tuple[tuple[LoadBalancerIngress, ...], Problem | None]:
        service = self._view.get("Service", namespace, name)
        if service is None:
            message = f"--publish-service: there is no Service {namespace}/{name}; {self._consequence}"
            return (), Problem("PublishServiceMissing", "warning", None, message)
        found = _sorted(addresses_of(service))
        if found:
            return found, None
        what = "no load balancer has given it an address yet" if service.spec.type == "LoadBalancer" else "it has none"
        message = f"--publish-service: {what}; {self._consequence}"
        return (), Problem("NoPublishAddress", "warning", service.ref, message)

    def _of_nodes(self) -> tuple[tuple[LoadBalancerIngress, ...], Problem | None]:
        """Of the Nodes that run a Pod of ours which has not ended and is not about to."""
        pods = [pod for pod in self._view.list("Pod") if not pod.is_leaving and pod.status.phase == "Running"]
        found: list[LoadBalancerIngress] = []
        for name in sorted({pod.spec.node_name for pod in pods if pod.spec.node_name}):
            node = self._view.get("Node", "", name)
            if isinstance(node, Node):
                found += _of_node([(at.type, at.address) for at in node.status.addresses], _TYPES[self._nodes])
        if found:
            return _sorted(found), None
        message = f"--publish-node-addresses: no Node of our Pods has an {self._nodes} address; {self._consequence}"
        return (), Problem("NoPublishAddress", "warning", None, message)

    @property
    def _consequence(self) -> str:
        if self.now:
            return "the addresses that were known last stay in the status of Ingresses"
        return "no status of an Ingress is written"


def addresses_of(service: Service) -> list[LoadBalancerIngress]:
    """Where a Service is reached: from outside if it can be, else within the cluster."""
    spec = service.spec
    if spec.type == "ExternalName":
        return _valid([spec.external_name])
    external = _valid(spec.external_ips)
    if spec.type == "LoadBalancer":
        given = service.status.load_balancer.ingress
        return _valid([at.ip or at.hostname for at in given]) + external
    return external or _valid([spec.cluster_ip] if spec.cluster_ip != "None" else [])


def _of_node(addresses: Sequence[tuple[str, str]], types: Sequence[str]) -> list[LoadBalancerIngress]:
    for wanted in types:
        found = _valid(address for kind, address in addresses if kind == wanted)
        if found:
            return found
    return []


def _valid(texts: Iterable[str]) -> list[LoadBalancerIngress]:
    """Those that the API takes in a status; one that it does not would cost us all of them."""
    found: list[LoadBalancerIngress] = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ValueError:
            continue
    return found


def _sorted(addresses: Iterable[LoadBalancerIngress]) -> tuple[LoadBalancerIngress, ...]:
    return tuple(sorted(set(addresses)))
