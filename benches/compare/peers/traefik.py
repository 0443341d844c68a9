"""Traefik, with the same forwarded headers but one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benches.compare.peers.base import ADDED, HSTS, Peer, added_path, replace
from benches.compare.scenario import HOST_PATHS


class Traefik(Peer):
    """Traefik from PyPI."""

    name = "Traefik"
    program = "traefik"
    lacks = frozenset({"X-Request-ID"})

    @classmethod
    def version(cls) -> str:
        said = re.search(r"Version:\s*(\S+)", cls.say("version"))
        return said[1] if said else "of an unknown version"

    def command(self) -> list[str]:
        self.h2c_port = self.port
        self._write(self._config())
        return [
            self.path(),
            f"--providers.file.filename={self._dynamic}",
            # Or it would pass over all changes but one in two seconds.
            "--providers.providersthrottleduration=10ms",
            f"--entrypoints.http.address=127.0.0.1:{self.port}",
            f"--entrypoints.https.address=127.0.0.1:{self.tls_port}",
            f"--entrypoints.stream.address=127.0.0.1:{self.stream_port}",
            "--entrypoints.http.transport.respondingtimeouts.idletimeout=1h",
            "--entrypoints.https.transport.respondingtimeouts.idletimeout=1h",
            "--serverstransport.maxidleconnsperhost=320",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=ERROR",
            *(self._log() if self.site.logged else ()),
        ]

    def _log(self) -> list[str]:
        """Its own fields, which are more than ours, and two headers."""
        kept = [f"--accesslog.fields.headers.names.{name}=keep" for name in ("User-Agent", "Referer")]
        return ["--accesslog=true", "--accesslog.format=json", f"--accesslog.filepath={self.log}", *kept]

    def reroute(self, number: int) -> None:
        """Its file of routes is another one, which it watches."""
        self._write(self._config(number))

    @property
    def _dynamic(self) -> Path:
        return self.folder / "dynamic" / "routes.yaml"

    def _write(self, config: dict[str, Any]) -> None:
        replace(self._dynamic, json.dumps(config))  # what is JSON is YAML

    def _config(self, number: int = 0) -> dict[str, Any]:
        if self.way in ("passthrough", "tcp"):
            return self._streams()
        pair = str(self.pair.write(self.folder))
        certificate = {"certFile": pair, "keyFile": pair}
        scheme = "h2c" if self.way == "grpc-tls" else "http"
        added = {
            "rule": f"Host(`{ADDED}`) && PathPrefix(`{added_path(number)}`)",
            "service": "backend",
            "entryPoints": ["http"],
        }
        router = {"rule": "Host(`shop.example.com`)", "service": "backend"}
        return {
            "http": {
                "routers": {
                    "http": {**router, "entryPoints": ["http"], "middlewares": ["http"]},
                    "https": {**router, "entryPoints": ["https"], "middlewares": ["https"], "tls": {}},
                    **({"added": added} if self.way == "changing" else {}),
                    **self._hosts(),
                },
                "middlewares": {
                    "http": {"headers": self._headers("http", self.port)},
                    "https": {"headers": self._headers("https", self.tls_port)},
                },
                "services": {
                    "backend": {"loadBalancer": {"servers": [{"url": f"{scheme}://127.0.0.1:{self.backend}"}]}}
                },
            },
            # Not every client of the comparison says which host it means.
            "tls": {"stores": {"default": {"defaultCertificate": certificate}}},
        }

    def _hosts(self) -> dict[str, Any]:
        """A router for each path of each."""
        common = {"service": "backend", "entryPoints": ["http"], "middlewares": ["http"]}
        return {
            f"{name}{path}".replace("/", "-"): {"rule": f"Host(`{name}`) && PathPrefix(`{path}`)", **common}
            for name in self.site.names
            for path in HOST_PATHS
        }

    def _headers(self, scheme: str, port: int) -> dict[str, Any]:
        # The others it sets by itself.
        request = {"X-Forwarded-Port": str(port), "X-Forwarded-Scheme": scheme, "X-Scheme": scheme, "Proxy": ""}
        if self.way == "websocket":  # where it would say "ws"
            request["X-Forwarded-Proto"] = scheme
        response = {"customResponseHeaders": {"Strict-Transport-Security": HSTS}} if scheme == "https" else {}
        return {"customRequestHeaders": request, **response}

    def _streams(self) -> dict[str, Any]:
        name = "shop.example.com" if self.way == "passthrough" else "*"
        router: dict[str, Any] = {"rule": f"HostSNI(`{name}`)", "service": "backend", "entryPoints": ["stream"]}
        if self.way == "passthrough":
            router["tls"] = {"passthrough": True}
        servers = [{"address": f"127.0.0.1:{self.backend}"}]
        return {"tcp": {"routers": {"stream": router}, "services": {"backend": {"loadBalancer": {"servers": servers}}}}}
