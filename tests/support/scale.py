"""Folders of many Ingresses, as text, the same ones every time.

Each Ingress comes with a Service and an EndpointSlice of its own, as a cluster would have them, and has three paths.
All have a host of their own, or all share one. One path of an Ingress carries a number, so that it can be edited and
the edit be seen.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PATHS = 3
"""Routes of each Ingress."""
SHARED_HOST = "shared.example.com"

_DOCUMENTS = """\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/managed-by: generator
spec:
  ingressClassName: fastingress
  rules:
    - host: {host}
      http:
        paths:
          - path: /{name}
            pathType: Prefix
            backend:
              service:
                name: {name}
                port:
                  name: http
          - path: /{name}/api
            pathType: Prefix
            backend:
              service:
                name: {name}
                port:
                  name: http
          - path: {edited}
            pathType: Exact
            backend:
              service:
                name: {name}
                port:
                  name: http
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: 8080
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  namespace: {namespace}
  labels:
    kubernetes.io/service-name: {name}
addressType: IPv4
ports:
  - name: http
    port: {port}
    protocol: TCP
endpoints:
  - addresses: ["{address}"]
    conditions:
      ready: true
"""


class Plan(NamedTuple):
    """What is in a folder."""

    ingresses: int
    per_file: int = 100
    shared_host: bool = False
    """All Ingresses have rules for one host."""
    address: str = "127.0.0.1"
    port: int = 9
    """Where the endpoints of all Services are."""

    @property
    def files(self) -> int:
        """How many files there are."""
        return -(-self.ingresses // self.per_file)

    def name(self, index: int) -> str:
        """Of the Ingress, its Service and, nearly, its EndpointSlice."""
        return f"app-{index:05}"

    def host(self, index: int) -> str:
        """That an Ingress has rules for."""
        return SHARED_HOST if self.shared_host else f"{self.name(index)}.example.com"

    def edited_path(self, index: int, edit: int) -> str:
        """The path that an edit is seen by: no other rule takes it."""
        return f"/edit/{self.name(index)}/{edit}"

    def file(self, folder: Path, index: int) -> Path:
        """Where an Ingress is written."""
        return folder / f"part-{index // self.per_file:03}.yaml"

    def text(self, index: int, edit: int = 0) -> str:
        """The file that an Ingress is in, that Ingress edited for the `edit`th time and all others as they were."""
        first = index - index % self.per_file
        members = range(first, min(first + self.per_file, self.ingresses))
        return "".join(self._documents(member, edit if member == index else 0) for member in members)

    def write(self, folder: Path) -> None:
        """All files."""
        for index in range(0, self.ingresses, self.per_file):
            self.file(folder, index).write_text(self.text(index), encoding="utf-8")

    def _documents(self, index: int, edit: int) -> str:
        return _DOCUMENTS.format(
            name=self.name(index),
            namespace=f"team-{index % 10}",
            host=self.host(index),
            edited=self.edited_path(index, edit),
            address=self.address,
            port=self.port,
        )


def write_in_place(path: Path, text: str) -> None:
    """Truncates and writes a file, as most editors do."""
    path.write_text(text, encoding="utf-8")


def move_into_place(path: Path, text: str) -> None:
    """Writes beside a file and renames onto it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105 (says plainly that it replaces)
