"""Objects that only a cluster has, as small functions; the others are in `tests.support.manifests`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastingress.status.lease import RELEASED
from tests.support.manifests import Manifest

PORT = 8080
"""What pods listen at."""


def deployment(
    name: str,
    *,
    replicas: int = 1,
    namespace: str = "default",
    env: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    node_selector: Mapping[str, str] | None = None,
    strategy: Mapping[str, Any] | None = None,
    grace: int = 30,
) -> Manifest:
    """Pods that run the fake kubelet's HTTP echo; `env` and `annotations` steer it, see `controlplane/fakelet`."""
    template: Manifest = {
        "metadata": {"labels": {"app": name}, "annotations": dict(annotations or {})},
        "spec": {"containers": [container(name, env)], "terminationGracePeriodSeconds": grace},
    }
    if node_selector:
        template["spec"]["nodeSelector"] = dict(node_selector)
    spec: Manifest = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    if strategy:
        spec["strategy"] = dict(strategy)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def pod(
    name: str,
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    node_selector: Mapping[str, str] | None = None,
) -> Manifest:
    """A Pod on its own."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {"app": name}),
            "annotations": dict(annotations or {}),
        },
        "spec": {"containers": [container(name, env)], "nodeSelector": dict(node_selector or {})},
    }


def container(name: str, env: Mapping[str, str] | None = None) -> Manifest:
    """The one container of a pod. It answers with the name as `service`."""
    values = {"SERVICE_NAME": name, **(env or {})}
    return {
        "name": "echo",
        "image": "echo",
        "env": [{"name": key, "value": value} for key, value in values.items()],
        "ports": [{"name": "http", "containerPort": PORT}],
    }


def service_of(app: str, name: str = "", *, namespace: str = "default", **spec: Any) -> Manifest:
    """A Service at port 80 for the pods with the label `app`; further fields of its spec as in the API."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name or app, "namespace": namespace},
        "spec": {
            "selector": {"app": app},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            **spec,
        },
    }


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Manifest:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def service_account(name: str, *, namespace: str = "default") -> Manifest:
    """A ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def config_map(name: str, data: Mapping[str, str], *, namespace: str = "default") -> Manifest:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def given_back_lease(name: str, *, namespace: str = "default") -> Manifest:
    """A Lease that a leader of ours has given back: the next one need not wait."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "holderIdentity": "",
            "leaseDurationSeconds": RELEASED,
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "leaseTransitions": 1,
        },
    }
