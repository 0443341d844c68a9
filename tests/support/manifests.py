"""Manifests as small functions, so that a test says only what it is about."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from tests.support.backend import Backend

Manifest = dict[str, Any]
NGINX = "nginx.ingress.kubernetes.io/"
OURS = "fastingress.io/"
CONTROLLER = "fastingress.io/ingress-controller"


class Rule(NamedTuple):
    """One path of one host."""

    service: str
    path: str | None = "/"
    host: str = ""
    kind: str = "Prefix"
    port: int | str = 80


def ingress(
    name: str,
    *rules: Rule,
    namespace: str = "default",
    annotations: Mapping[str, str] | None = None,
    tls: Mapping[str, Sequence[str]] | None = None,
    default: str | None = None,
    class_name: str | None = None,
    created: str | None = None,
) -> Manifest:
    """An Ingress. Annotation keys without a slash get ingress-nginx's prefix; `tls` maps a Secret to its hosts."""
    spec: Manifest = {}
    if class_name is not None:
        spec["ingressClassName"] = class_name
    if default is not None:
        spec["defaultBackend"] = _backend(default, 80)
    if tls:
        spec["tls"] = [{"secretName": secret, "hosts": list(hosts)} for secret, hosts in tls.items()]
    if rules:
        spec["rules"] = _rules(rules)
    metadata: Manifest = {"name": name, "namespace": namespace}
    if created is not None:
        metadata["creationTimestamp"] = created
    if annotations:
        metadata["annotations"] = {key if "/" in key else NGINX + key: value for key, value in annotations.items()}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def service(name: str, *endpoints: Backend | str, namespace: str = "default", port: int = 80) -> Manifest:
    """A Service whose endpoints are written into it by annotation."""
    listed = ", ".join(each if isinstance(each, str) else each.endpoint for each in endpoints)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": {OURS + "endpoints": listed}},
        "spec": {"ports": [{"name": "http", "port": port}]},
    }


def plain_service(name: str, *ports: Mapping[str, Any], namespace: str = "default", **spec: Any) -> Manifest:
    """A Service as a cluster has it; its endpoints come from an `endpoint_slice`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [dict(port) for port in ports], **spec},
    }


def endpoint_slice(
    service_name: str,
    *endpoints: Mapping[str, Any],
    port: int,
    port_name: str = "",
    namespace: str = "default",
    suffix: str = "1",
) -> Manifest:
    """An EndpointSlice of a Service. An endpoint is `{"addresses": [..], "conditions": {..}}`."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{suffix}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": [dict(endpoint) for endpoint in endpoints],
    }


def secret(name: str, chain: bytes, key: bytes, *, namespace: str = "default") -> Manifest:
    """A TLS Secret from PEM."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"tls.crt": b64encode(chain).decode(), "tls.key": b64encode(key).decode()},
    }


def ingress_class(
    name: str, controller: str = "fastingress.io/ingress-controller", *, default: bool = False
) -> Manifest:
    """An IngressClass."""
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"controller": controller},
    }


def text(*manifests: Manifest) -> str:
    """The manifests as one YAML stream."""
    return yaml.safe_dump_all(manifests, sort_keys=False)


def write(path: Path, *manifests: Manifest) -> None:
    """Puts a file in place whole, by a rename."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text(*manifests), encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105 (says plainly that it replaces)


def write_in_place(path: Path, *manifests: Manifest) -> None:
    """Truncates and writes a file, as most editors do."""
    path.write_text(text(*manifests), encoding="utf-8")


def _rules(rules: Sequence[Rule]) -> list[Manifest]:
    """One entry a host, hosts in the order of their first path."""
    hosts: dict[str, list[Manifest]] = {}
    for rule in rules:
        path: Manifest = {"pathType": rule.kind, "backend": _backend(rule.service, rule.port)}
        if rule.path is not None:
            path["path"] = rule.path
        hosts.setdefault(rule.host, []).append(path)
    return [{**({"host": host} if host else {}), "http": {"paths": paths}} for host, paths in hosts.items()]


def _backend(service_name: str, port: int | str) -> Manifest:
    return {"service": {"name": service_name, "port": {"number" if isinstance(port, int) else "name": port}}}
