"""Envoy, with the same forwarded headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benches.compare.peers.base import ADDED, HSTS, Peer, added_path, replace
from benches.compare.scenario import HOST_PATHS

PACKAGE = "envoy.extensions"
API = f"type.googleapis.com/{PACKAGE}"
FLUSH = ("--file-flush-interval-msec", "1000")
CLIENT = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"


class Envoy(Peer):
    """Envoy from PyPI."""

    name = "Envoy"
    program = "envoy"

    @classmethod
    def version(cls) -> str:
        return cls.say("--version").split("/")[-4]

    def command(self) -> list[str]:
        self.h2c_port = self.port
        config = self.folder / "envoy.json"
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        return [self.path(), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error", *FLUSH]

    def _config(self) -> dict[str, Any]:
        endpoint = {"endpoint": {"address": _address(self.backend)}}
        cluster: dict[str, Any] = {
            "name": "backend",
            "connect_timeout": "5s",
            "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        if self.way == "grpc-tls":
            explicit: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}
            options = {"@type": f"{API}.upstreams.http.v3.HttpProtocolOptions", **explicit}
            cluster["typed_extension_protocol_options"] = {f"{PACKAGE}.upstreams.http.v3.HttpProtocolOptions": options}
        if self.way == "changing":
            self.reroute(0)
        node = {"id": "one", "cluster": "compared"}
        return {"node": node, "static_resources": {"listeners": self._listeners(), "clusters": [cluster]}}

    def _listeners(self) -> list[dict[str, Any]]:
        if self.way in ("passthrough", "tcp"):
            return [self._stream()]
        plain = {"filters": [self._http("http", self.port)]}
        secure = {"filters": [self._http("https", self.tls_port)], "transport_socket": self._tls()}
        return [_listener(self.port, plain), _listener(self.tls_port, secure)]

    def _shop(self, scheme: str, port: int) -> dict[str, Any]:
        request = {
            "X-Real-IP": CLIENT,
            "X-Forwarded-For": CLIENT,
            "X-Forwarded-Host": "%REQ(:AUTHORITY)%",
            "X-Forwarded-Port": str(port),
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Scheme": scheme,
            "X-Scheme": scheme,
        }
        return {
            "name": "shop",
            "domains": ["shop.example.com"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}],
            "request_headers_to_add": _headers(request),
            "request_headers_to_remove": ["proxy"],
            "response_headers_to_add": _headers({"Strict-Transport-Security": HSTS} if scheme == "https" else {}),
        }

    def _http(self, scheme: str, port: int) -> dict[str, Any]:
        manager = {
            "@type": f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": scheme,
            # A client is not believed, and gets an id of our own.
            "use_remote_address": True,
            "skip_xff_append": True,
            "strip_any_host_port": True,
            "upgrade_configs": [{"upgrade_type": "websocket"}] if self.way == "websocket" else [],
            "common_http_protocol_options": {"idle_timeout": "3600s"},
            "access_log": [self._log(scheme)] if self.site.logged else [],
            **self._routes(scheme, port),
            "http_filters": [
                {"name": "router", "typed_config": {"@type": f"{API}.filters.http.router.v3.Router"}},
            ],
        }
        return {"name": "http", "typed_config": manager}

    def _log(self, scheme: str) -> dict[str, Any]:
        """The fields that we write; with its own buffer, which is flushed as it fills and each second."""
        fields = {
            "time": "%START_TIME%",
            "client": CLIENT,
            "scheme": scheme,
            "protocol": "%PROTOCOL%",
            "method": "%REQ(:METHOD)%",
            "host": "%REQ(:AUTHORITY)%",
            "path": "%PATH(NQ)%",
            "status": "%RESPONSE_CODE%",
            "bytes_in": "%BYTES_RECEIVED%",
            "bytes_out": "%BYTES_SENT%",
            "duration_ms": "%DURATION%",
            "upstream_ms": "%RESPONSE_DURATION%",
            "endpoint": "%UPSTREAM_HOST%",
            "request_id": "%REQ(X-REQUEST-ID)%",
            "user_agent": "%REQ(USER-AGENT)%",
            "referer": "%REQ(REFERER)%",
        }
        file = {
            "@type": f"{API}.access_loggers.file.v3.FileAccessLog",
            "path": str(self.log),
            "log_format": {"json_format": fields},
        }
        return {"name": "log", "typed_config": file}

    def _routes(self, scheme: str, port: int) -> dict[str, Any]:
        if self.way != "changing" or scheme == "https":
            shop = self._shop(scheme, port)
            return {"route_config": {"virtual_hosts": [shop, *self._hosts(shop)]}}
        source = {"path_config_source": {"path": str(self._dynamic)}, "resource_api_version": "V3"}
        return {"rds": {"route_config_name": "routes", "config_source": source}}

    def _hosts(self, shop: dict[str, Any]) -> list[dict[str, Any]]:
        """Each is like that one but for its paths."""
        (route,) = shop["routes"]
        routes = [{**route, "match": {"prefix": path}} for path in HOST_PATHS]
        return [{**shop, "name": name, "domains": [name], "routes": routes} for name in self.site.names]

    def reroute(self, number: int) -> None:
        """Its file of routes is another one, which it watches."""
        route = {"match": {"prefix": added_path(number)}, "route": {"cluster": "backend", "timeout": "0s"}}
        added = {"name": "added", "domains": [ADDED], "routes": [route]}
        resource = {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": "routes",
            "virtual_hosts": [self._shop("http", self.port), added],
        }
        replace(self._dynamic, json.dumps({"version_info": str(number), "resources": [resource]}))

    @property
    def _dynamic(self) -> Path:
        return self.folder / "dynamic" / "routes.json"

    def _tls(self) -> dict[str, Any]:
        pair = {"filename": str(self.pair.write(self.folder))}
        common = {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": pair, "private_key": pair}],
        }
        context = {
            "@type": f"{API}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": common,
        }
        return {"name": "tls", "typed_config": context}

    def _stream(self) -> dict[str, Any]:
        relay = {
            "@type": f"{API}.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "stream",
            "cluster": "backend",
        }
        chain: dict[str, Any] = {"filters": [{"name": "relay", "typed_config": relay}]}
        listener = _listener(self.stream_port, chain)
        if self.way == "passthrough":
            inspector = {"@type": f"{API}.filters.listener.tls_inspector.v3.TlsInspector"}
            chain["filter_chain_match"] = {"server_names": ["shop.example.com"]}
            listener["listener_filters"] = [{"name": "hello", "typed_config": inspector}]
        return listener


def _listener(port: int, chain: dict[str, Any]) -> dict[str, Any]:
    return {"name": str(port), "address": _address(port), "filter_chains": [chain]}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _headers(values: dict[str, str]) -> list[dict[str, Any]]:
    replace = "OVERWRITE_IF_EXISTS_OR_ADD"
    return [{"header": {"key": key, "value": value}, "append_action": replace} for key, value in values.items()]
