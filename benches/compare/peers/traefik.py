"""Traefik, with the same forwarded headers but one."""

from __future__ import annotations

import json
import re
from typing import Any

from benches.compare.peers.base import HSTS, Peer


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
        dynamic = self.folder / "routes.yaml"  # what is JSON is YAML
        dynamic.write_text(json.dumps(self._config()), encoding="utf-8")
        return [
            self.path(),
            f"--providers.file.filename={dynamic}",
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

    def _config(self) -> dict[str, Any]:
        if self.way in ("passthrough", "tcp"):
            return self._streams()
        pair = str(self.pair.write(self.folder))
        certificate = {"certFile": pair, "keyFile": pair}
        scheme = "h2c" if self.way == "grpc-tls" else "http"
        router = {"rule": "Host(`shop.example.com`)", "service": "backend"}
        return {
            "http": {
                "routers": {
                    "http": {**router, "entryPoints": ["http"], "middlewares": ["http"]},
                    "https": {**router, "entryPoints": ["https"], "middlewares": ["https"], "tls": {}},
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
