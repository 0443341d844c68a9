"""Documents that an API server accepts, for tests to break in one place."""

from __future__ import annotations

from typing import Any

from fastingress.objects import Decoded, decode
from fastingress.problems import Origin

ORIGIN = Origin("shop.yaml", 3, 1)


def ingress(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop"},
        "spec": spec or {"rules": [rule()]},
    }


def rule(host: str = "shop.example.com", path: str = "/", path_type: str = "Prefix") -> dict[str, Any]:
    return {"host": host, "http": {"paths": [{"path": path, "pathType": path_type, "backend": backend()}]}}


def backend(**port: Any) -> dict[str, Any]:
    return {"service": {"name": "web", "port": port or {"number": 80}}}


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": spec or {"ports": [{"port": 80}]},
    }


def endpoint_slice(**fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 8080}],
        **fields,
    }


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pair"}, **fields}


def take(raw: dict[str, Any]) -> Decoded:
    return decode(raw, ORIGIN)


def accepted(raw: dict[str, Any]) -> Any:
    decoded = take(raw)
    assert decoded.problems == []
    assert decoded.object is not None
    return decoded.object


def refusal(raw: dict[str, Any]) -> str:
    decoded = take(raw)
    assert decoded.object is None
    (problem,) = [problem for problem in decoded.problems if problem.severity == "error"]
    assert problem.origin == ORIGIN
    return problem.message
