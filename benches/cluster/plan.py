"""What is in the cluster: as many Ingresses of three paths as asked for, each with what a real one has around it.

Every tenth has TLS. The objects are what `kubectl apply` sends and what the controllers of a cluster write, with their
labels, owners and annotations: what a controller does not read it has to read past.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.certificates import Authority, Pair
from tests.support.manifests import Manifest

NAMESPACES = 10
CLASS = "fastingress"
CONTROLLER = "fastingress.io/ingress-controller"
BACKEND_PORT = 8080
_TLS_EVERY = 10
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Plan(NamedTuple):
    """Which objects there are."""

    ingresses: int

    @property
    def with_tls(self) -> range:
        """Which Ingresses have a Secret."""
        return range(0, self.ingresses, _TLS_EVERY)

    def name(self, index: int) -> str:
        """Of the Ingress and its Service."""
        return f"app-{index:05}"

    def namespace(self, index: int) -> str:
        """Where it is."""
        return f"team-{index // 10 % NAMESPACES}"

    def host(self, index: int) -> str:
        """What its rules are for."""
        return f"{self.name(index)}.example.com"

    def address(self, index: int, step: int = 0) -> str:
        """Where its pod is after so many moves: never twice in a row at one address."""
        third, fourth = divmod(index, 250)
        return f"10.244.{(third + step * 41) % 250 + 1}.{fourth + 1}"

    def slice_name(self, index: int) -> str:
        """Of its EndpointSlice."""
        return f"{self.name(index)}-x7k2p"

    def ingress(self, index: int, *, name: str = "", host: str = "") -> Manifest:
        """As `kubectl apply` sends it; with a name and a host another one before the same Service."""
        spec = self._spec(index, host or self.host(index), tls=index % _TLS_EVERY == 0 and not name)
        labels = {
            "app.kubernetes.io/name": self.name(index),
            "app.kubernetes.io/instance": f"{self.name(index)}-production",
            "app.kubernetes.io/component": "web",
            "app.kubernetes.io/part-of": self.namespace(index),
            "app.kubernetes.io/managed-by": "Helm",
        }
        annotations = {
            "nginx.ingress.kubernetes.io/proxy-read-timeout": "60",
            "nginx.ingress.kubernetes.io/ssl-redirect": "false",
            "nginx.ingress.kubernetes.io/proxy-body-size": "8m",
            "cert-manager.io/cluster-issuer": "letsencrypt-production",
            "external-dns.alpha.kubernetes.io/hostname": host or self.host(index),
        }
        metadata = {"name": name or self.name(index), "namespace": self.namespace(index), "labels": labels}
        made = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec}
        applied = json.dumps({**made, "metadata": {**metadata, "annotations": annotations}}, separators=(",", ":"))
        return {**made, "metadata": {**metadata, "annotations": {**annotations, _LAST_APPLIED: applied}}}

    def service(self, index: int) -> Manifest:
        """Its Service."""
        labels = {"app.kubernetes.io/name": self.name(index), "app.kubernetes.io/managed-by": "Helm"}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name(index), "namespace": self.namespace(index), "labels": labels},
            "spec": {
                "selector": {"app.kubernetes.io/name": self.name(index)},
                "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            },
        }

    def endpoint_slice(self, index: int) -> Manifest:
        """Its EndpointSlice, as the controller of endpoints writes it."""
        owner = {
            "apiVersion": "v1",
            "kind": "Service",
            "name": self.name(index),
            "uid": f"00000000-0000-4000-8000-{index:012}",
            "controller": True,
            "blockOwnerDeletion": True,
        }
        labels = {
            "kubernetes.io/service-name": self.name(index),
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "app.kubernetes.io/name": self.name(index),
            "app.kubernetes.io/managed-by": "Helm",
        }
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": self.slice_name(index),
                "generateName": f"{self.name(index)}-",
                "namespace": self.namespace(index),
                "labels": labels,
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-31T09:00:00Z"},
                "ownerReferences": [owner],
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": BACKEND_PORT, "protocol": "TCP"}],
            "endpoints": self.endpoints(index),
        }

    def endpoints(self, index: int, step: int = 0) -> list[Manifest]:
        """Its pod, after so many moves."""
        pod = {
            "kind": "Pod",
            "namespace": self.namespace(index),
            "name": f"{self.name(index)}-6d4cf56db6-{step:05}",
            "uid": f"00000000-0000-4000-9000-{index:012}",
        }
        return [
            {
                "addresses": [self.address(index, step)],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{index % 30}",
                "targetRef": pod,
                "zone": "zone-a",
            }
        ]

    def secret_name(self, index: int) -> str:
        """Of the Secret with its certificate."""
        return f"{self.name(index)}-tls"

    def secret(self, index: int, pair: Pair) -> Manifest:
        """The Secret."""
        made = pair.secret(self.secret_name(index), namespace=self.namespace(index))
        made["metadata"]["annotations"] = {
            "cert-manager.io/alt-names": self.host(index),
            "cert-manager.io/certificate-name": self.secret_name(index),
            "cert-manager.io/issuer-kind": "ClusterIssuer",
            "cert-manager.io/issuer-name": "letsencrypt-production",
        }
        return made

    def secrets(self, authority: Authority) -> Iterator[Manifest]:
        """All of them, each with a certificate of its own."""
        for index in self.with_tls:
            yield self.secret(index, authority.issue(self.host(index)))

    def _spec(self, index: int, host: str, *, tls: bool) -> Manifest:
        backend = {"service": {"name": self.name(index), "port": {"name": "http"}}}
        paths = [
            {"path": path, "pathType": kind, "backend": backend}
            for path, kind in (("/", "Prefix"), ("/api", "Prefix"), ("/healthz", "Exact"))
        ]
        spec: Manifest = {"ingressClassName": CLASS, "rules": [{"host": host, "http": {"paths": paths}}]}
        if tls:
            spec["tls"] = [{"hosts": [host], "secretName": self.secret_name(index)}]
        return spec
