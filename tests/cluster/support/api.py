"""A small synchronous client of the API, for tests: faster than kubectl and plainer than a client library."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.support.manifests import Manifest

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

PLURALS = {
    "ConfigMap": "configmaps",
    "Endpoints": "endpoints",
    "Event": "events",
    "Namespace": "namespaces",
    "Node": "nodes",
    "Pod": "pods",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "EndpointSlice": "endpointslices",
    "Ingress": "ingresses",
    "IngressClass": "ingressclasses",
    "NetworkPolicy": "networkpolicies",
    "Lease": "leases",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "CustomResourceDefinition": "customresourcedefinitions",
}
VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Event": "events.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
}
"""The versions of kinds that are asked for by kind alone; others are `v1`."""
CLUSTER_SCOPED = frozenset(
    {"Namespace", "Node", "IngressClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
)


class Refused(AssertionError):
    """The API server answered, and not with success."""

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        super().__init__(f"{method} {path}: {status}: {body[:500].decode(errors='replace')}")
        self.status = status
        self.body = body


class Api:
    """Calls the API. Each thread has a connection of its own, kept open."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, token: str) -> None:
        self._address = address
        self._context = context
        self._token = token
        self._kept = threading.local()

    # objects

    def apply(self, manifest: Manifest, *, manager: str = "tests") -> Manifest:
        """Makes the object or brings it to this state: a server-side apply with force. The object as it is now."""
        query = {"fieldManager": manager, "force": "true"}
        return self.call("PATCH", path_of(manifest), query=query, body=manifest, content_type=APPLY)

    def create(self, manifest: Manifest) -> Manifest:
        """Makes the object; refused when it exists."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        path = collection(kind, metadata.get("namespace", ""), version=manifest["apiVersion"])
        return self.call("POST", path, body=manifest)

    def read(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""
        try:
            return self.call("GET", f"{collection(kind, namespace)}/{name}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", **query: str) -> list[Manifest]:
        """The objects of a kind, of all namespaces when none is named. `query`: labelSelector, fieldSelector."""
        return list(self.call("GET", collection(kind, namespace), query=query)["items"])

    def patch(
        self, kind: str, name: str, change: Mapping[str, Any], namespace: str = "", *, subresource: str = ""
    ) -> Manifest:
        """A merge patch, of the object or of a subresource of it, as of `status`."""
        path = f"{collection(kind, namespace)}/{name}" + (f"/{subresource}" if subresource else "")
        return self.call("PATCH", path, body=change, content_type=MERGE)

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> None:
        """Asks for the deletion; what depends on it goes in the background. Nothing happens if it is not there."""
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self.call("DELETE", f"{collection(kind, namespace)}/{name}", body=options)
        except Refused as refused:
            if refused.status != 404:
                raise

    # requests

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """One request; the object that was answered. Raises `Refused`."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        try:
            status, answer = self._exchange(method, target, data, headers)
        except (http.client.RemoteDisconnected, ConnectionError):  # a connection that was kept for too long
            self.close()
            status, answer = self._exchange(method, target, data, headers)
        if status >= 300:
            raise Refused(method, target, status, answer)
        found: Manifest = json.loads(answer)
        return found

    def close(self) -> None:
        """Closes the calling thread's connection."""
        connection = self._kept.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _exchange(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection: http.client.HTTPSConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(*self._address, context=self._context, timeout=60)
            self._kept.connection = connection
        connection.request(method, target, body=data, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()


def collection(kind: str, namespace: str = "", *, version: str = "") -> str:
    """The path of all objects of a kind."""
    version = version or VERSIONS.get(kind) or ("rbac.authorization.k8s.io/v1" if "Role" in kind else "v1")
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_SCOPED else ""
    return f"{base}{within}/{PLURALS[kind]}"


def path_of(manifest: Manifest) -> str:
    """The path of one object."""
    metadata = manifest["metadata"]
    place = collection(manifest["kind"], metadata.get("namespace", ""), version=manifest["apiVersion"])
    return f"{place}/{metadata['name']}"
