"""Caddy, with the same forwarded headers."""

from __future__ import annotations

import json
from typing import Any

import httpx

from benches.compare.peers.base import ADDED, HSTS, Peer, added_path, free_port
from benches.compare.scenario import HOST_PATHS, Way

CLIENT = "{http.request.remote.host}"


class Caddy(Peer):
    """Caddy from PyPI."""

    name = "Caddy"
    program = "caddy"

    @classmethod
    def version(cls) -> str:
        return cls.say("version").split()[0].removeprefix("v")

    @classmethod
    def missing(cls, way: Way) -> str:
        return super().missing(way) or ("it relays no streams" if way in ("passthrough", "tcp") else "")

    def command(self) -> list[str]:
        self.h2c_port = self.port
        self._admin = free_port()
        config = self.folder / "caddy.json"
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        return [self.path(), "run", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}

    def _config(self) -> dict[str, Any]:
        admin = {"listen": f"127.0.0.1:{self._admin}", "config": {"persist": False}}
        pair = str(self.pair.write(self.folder))
        servers = {
            "http": self._server("http", self.port),
            "https": {
                **self._server("https", self.tls_port),
                "tls_connection_policies": [{"default_sni": "shop.example.com"}],
            },
        }
        return {
            "admin": admin if self.way == "changing" else {"disabled": True},
            "logging": {"logs": {"default": {"level": "ERROR"}, **(self._log() if self.site.logged else {})}},
            "apps": {
                "http": {"servers": servers},
                "tls": {"certificates": {"load_files": [{"certificate": pair, "key": pair}]}},
            },
        }

    def _log(self) -> dict[str, Any]:
        """Its own fields: more than ours, with all headers."""
        writer = {"output": "file", "filename": str(self.log), "roll": False}
        return {"lines": {"writer": writer, "encoder": {"format": "json"}, "include": ["http.log.access"]}}

    def _server(self, scheme: str, port: int) -> dict[str, Any]:
        request = {
            "X-Request-ID": "{http.request.uuid}",
            "X-Real-IP": CLIENT,
            "X-Forwarded-For": CLIENT,
            "X-Forwarded-Host": "{http.request.host}",
            "X-Forwarded-Port": str(port),
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Scheme": scheme,
            "X-Scheme": scheme,
        }
        relay = {
            "handler": "reverse_proxy",
            "upstreams": [{"dial": f"127.0.0.1:{self.backend}"}],
            "headers": {"request": {"set": {key: [value] for key, value in request.items()}, "delete": ["Proxy"]}},
            "transport": {
                "protocol": "http",
                "keep_alive": {"max_idle_conns": 320, "max_idle_conns_per_host": 320},
                "compression": False,
                **({"versions": ["h2c", "2"]} if self.way == "grpc-tls" else {}),
            },
        }
        strict = {"handler": "headers", "response": {"set": {"Strict-Transport-Security": [HSTS]}}}
        handlers = [strict, relay] if scheme == "https" else [relay]
        return {
            "listen": [f"127.0.0.1:{port}"],
            "protocols": ["h1", "h2"] if scheme == "https" else ["h1", "h2c"],
            "automatic_https": {"disable": True},
            "idle_timeout": "1h",
            **({"logs": {}} if self.site.logged else {}),
            "named_routes": {"shop": {"handle": handlers}},
            "routes": [
                {"match": [{"host": ["shop.example.com"]}], "handle": handlers},
                *self._added(scheme, 0),
                *(self._host(name) for name in self.site.names),
            ],
        }

    def _host(self, name: str) -> dict[str, Any]:
        """One of many, and its paths. All have one relay, and so one pool of connections."""
        relay = {"handler": "invoke", "name": "shop"}
        paths = [{"match": [{"path": [f"{path}*"]}], "handle": [relay], "terminal": True} for path in HOST_PATHS]
        subroute = {"handler": "subroute", "routes": paths}
        return {"match": [{"host": [name]}], "handle": [subroute], "terminal": True}

    def _added(self, scheme: str, number: int) -> list[dict[str, Any]]:
        if self.way != "changing" or scheme == "https":
            return []
        relay = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{self.backend}"}]}
        return [{"@id": "added", "match": [{"host": [ADDED], "path": [f"{added_path(number)}*"]}], "handle": [relay]}]

    def reroute(self, number: int) -> None:
        """By its API, which has it take all of its configuration anew."""
        (added,) = self._added("http", number)
        httpx.patch(f"http://127.0.0.1:{self._admin}/id/added", json=added, trust_env=False).raise_for_status()
