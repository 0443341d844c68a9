"""fastingress, as `python -m fastingress` runs it, with one Ingress and one worker."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from benches.compare import programs
from benches.compare.peers.base import ADDED, Peer, added_path, replace
from benches.compare.scenario import HOST_PATHS
from fastingress import _core

MANIFESTS = """
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: shop
data:
  tls.crt: {chain}
  tls.key: {key}
---
apiVersion: v1
kind: Service
metadata:
  name: shop
  annotations:
    fastingress.io/endpoints: "127.0.0.1:{backend}"
spec:
  ports:
    - port: 80
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/ssl-redirect: "false"
    nginx.ingress.kubernetes.io/proxy-body-size: "0"
    nginx.ingress.kubernetes.io/ssl-passthrough: "{passthrough}"
    nginx.ingress.kubernetes.io/backend-protocol: {spoken}
spec:
  ingressClassName: fastingress
  tls:
    - secretName: shop
      hosts: [shop.example.com]
  rules:
    - host: shop.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: shop
                port:
                  number: 80
"""


HOST_MANIFEST = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations:
    nginx.ingress.kubernetes.io/ssl-redirect: "false"
spec:
  ingressClassName: fastingress
  rules:
    - host: {host}
      http:
        paths:
{paths}
"""

HOST_PATH = """
          - path: {path}
            pathType: Prefix
            backend:
              service:
                name: shop
                port:
                  number: 80
"""


def _commit() -> str:
    """Of the checkout that the bench is run from, marked when it has changes; empty outside of one."""
    command = ["git", "-C", str(programs.ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


class Fastingress(Peer):
    """This project, as installed beside the Python that runs the comparison."""

    name = "fastingress"
    program = sys.executable

    @classmethod
    def version(cls) -> str:
        command = [sys.executable, "-m", "fastingress", "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()[-1]
        return f"{said}, commit {commit}" if (commit := _commit()) else said

    @classmethod
    def caveat(cls) -> str:
        if (built := _core.__profile__) != "wheel":
            return f"is built with the profile {built!r}, and people install 'wheel': `make as-wheel` builds that"
        if not _core.__trained__:
            return "is built without training the compiler, and people install it with: `make as-wheel` builds that"
        return ""

    @property
    def log(self) -> Path:
        return self.folder / "output"

    def command(self) -> list[str]:
        manifests = self.folder / "manifests"
        manifests.mkdir()
        chain, key = (b64encode(text).decode() for text in (self.pair.chain, self.pair.key))
        passthrough = str(self.way == "passthrough").lower()
        spoken = "GRPC" if self.way == "grpc-tls" else "HTTP"
        filled = MANIFESTS.format(backend=self.backend, chain=chain, key=key, passthrough=passthrough, spoken=spoken)
        (manifests / "shop.yaml").write_text(filled, encoding="utf-8")
        if self.way == "changing":
            self.reroute(0)
        if self.site.hosts:
            (manifests / "hosts.yaml").write_text(self._hosts(), encoding="utf-8")
        self.h2c_port = self.port
        return [
            sys.executable,
            "-m",
            "fastingress",
            f"--manifests={manifests}",
            "--bind=127.0.0.1",
            f"--http-port={self.port}",
            f"--https-port={self.tls_port}",
            "--default-ssl-certificate=default/shop",
            "--admin-port=off",
            "--workers=1",
            f"--access-log={'json' if self.site.logged else 'off'}",
            "--idle-timeout=1h",
            "--shutdown-delay=0s",
            *(["--h2c"] if self.way == "h2c" else []),  # the others have a port of its own for it
            *self._stream(),
        ]

    def _hosts(self) -> str:
        """An Ingress for each."""
        paths = "".join(HOST_PATH.format(path=path).removeprefix("\n") for path in HOST_PATHS)
        return "---".join(HOST_MANIFEST.format(name=name, host=name, paths=paths) for name in self.site.names)

    def reroute(self, number: int) -> None:
        """A manifest is another one."""
        path = HOST_PATH.format(path=added_path(number)).removeprefix("\n")
        added = HOST_MANIFEST.format(name="added", host=ADDED, paths=path)
        replace(self.folder / "manifests" / "added.yaml", added)

    def _stream(self) -> list[str]:
        if self.way == "passthrough":
            self.stream_port = self.tls_port
            return ["--enable-ssl-passthrough"]
        return [f"--tcp={self.stream_port}=default/shop:80"] if self.way == "tcp" else []
