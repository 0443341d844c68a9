"""What a reflector follows: the objects of one kind in one scope, named as the API server names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """The objects of one kind in one scope, or one object of it."""

    kind: str
    path: str
    """`/apis/networking.k8s.io/v1/ingresses`, `/api/v1/namespaces/shop/services`."""
    field_selector: str = ""
    label_selector: str = ""
    namespace: str = ""
    """The one of the path; empty for all."""
    name: str = ""
    """Of the one object that is followed, in its namespace; neither lists nor a permission to list are needed then."""

    @property
    def resource(self) -> str:
        """`ingresses.networking.k8s.io`, `services`: as `kubectl auth can-i` takes it."""
        parts = self.path.strip("/").split("/")
        return f"{parts[-1]}.{parts[1]}" if parts[0] == "apis" else parts[-1]

    def __str__(self) -> str:
        name = f"/{self.name}" if self.name else ""
        return f"{self.resource}{name} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"
