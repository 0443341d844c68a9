"""The configuration of a process as each part of it wants to have it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from fastingress import _core
from fastingress.config import Config
from fastingress.errors import ConfigError
from fastingress.model import Settings
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.translate import Options, StreamOptions


def translate_options(config: Config) -> Options:
    """What translation needs of the configuration. Raises `ConfigError`."""
    without_class = config.watch_ingress_without_class
    local = bool(config.manifests)
    try:
        return Options(
            ingress_class=config.ingress_class,
            controller_class=config.controller_class,
            class_by_name=local or config.ingress_class_by_name,
            all_classes=config.all_ingress_classes,
            watch_without_class=local if without_class is None else without_class,
            assign_default_class=local,
            service_upstream=config.service_upstream,
            own_node=os.environ.get("NODE_NAME", "") if config.topology_aware_routing else "",
            compat=config.compat,
            default_backend_service=config.default_backend_service or "",
            default_ssl_certificate=config.default_ssl_certificate or "",
            ssl_session_ticket_secret=config.ssl_session_ticket_secret or "",
            trusted_proxies=config.trusted_proxies,
            ssl_passthrough=config.enable_ssl_passthrough,
            allow_cross_namespace_resources=config.allow_cross_namespace_resources,
            streams=_streams(config),
            allow_local_endpoints=local,
            settings=Settings(
                body_limit=config.body_limit,
                connect_timeout_ms=_milliseconds(config.connect_timeout),
                read_timeout_ms=_milliseconds(config.read_timeout),
                send_timeout_ms=_milliseconds(config.send_timeout),
                hsts=config.hsts,
                hsts_max_age=config.hsts_max_age,
                hsts_include_subdomains=config.hsts_include_subdomains,
                hsts_preload=config.hsts_preload,
            ),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def reserved_port(config: Config, layer: str, port: int) -> str:
    """The flag that has a port for something else than a TCP or UDP service; empty if none has."""
    return _reserved(config).get((layer, port), "")


def _reserved(config: Config) -> dict[tuple[str, int], str]:
    ports = {
        ("tcp", config.http_port): "--http-port",
        ("tcp", config.https_port): "--https-port",
        ("tcp", config.admin_port): "--admin-port",
        ("udp", config.https_port if config.http3 else None): "--http3",
    }
    return {(layer, port): flag for (layer, port), flag in ports.items() if port}


def _streams(config: Config) -> StreamOptions:
    return StreamOptions(
        tcp=config.tcp,
        udp=config.udp,
        tcp_config_map=config.tcp_services_configmap or "",
        udp_config_map=config.udp_services_configmap or "",
        tcp_idle_ms=_milliseconds(config.stream_timeout),
        udp_idle_ms=_milliseconds(config.udp_timeout),
        reserved=_reserved(config),
        takes_proxy=bool(config.proxy_protocol_from),
    )


def cluster_options(
    config: Config, *, own_namespace: str, environment: Mapping[str, str] = os.environ
) -> ClusterOptions:
    """What of the configuration decides what is read of a cluster, and which permissions that takes.

    Raises `ConfigError`.
    """
    try:
        return ClusterOptions(
            namespaces=config.watch_namespace,
            namespace_selector=config.watch_namespace_selector or "",
            secret_access=config.secret_access,
            ingress_class=config.ingress_class,
            controller_class=config.controller_class,
            own_namespace=own_namespace,
            own_node=environment.get("NODE_NAME", ""),
            own_pod=environment.get("POD_NAME", ""),
            publish_service=config.publish_service or "",
            config_maps=tuple(filter(None, (config.tcp_services_configmap, config.udp_services_configmap))),
            nodes=config.publish_node_addresses != "off",
            zone=config.topology_aware_routing,
            update_status=writes_status(config),
            publish_events=config.publish_events,
            election_id=config.election_id,
        )
    except ValueError as error:
        raise ConfigError(f"--watch-namespace, --watch-namespace-selector: {error}") from None


def writes_status(config: Config) -> bool:
    """Whether the status of Ingresses is written."""
    if config.update_status is not None:
        return config.update_status
    publishes = config.publish_service or config.publish_status_address or config.publish_node_addresses != "off"
    return bool(publishes) and not config.all_ingress_classes


def core_options(config: Config) -> bytes:
    """What the data path is started with: `options.rs` in `rust/proxy`, as msgpack."""
    return msgspec.msgpack.encode(
        {
            "http_port": config.http_port,
            "https_port": config.https_port,
            "bind": config.bind,
            "admin_port": config.admin_port,
            "admin_bind": config.admin_bind,
            "use_proxy_protocol": config.use_proxy_protocol,
            "proxy_protocol_from": config.proxy_protocol_from,
            "workers": config.workers,
            "access_log": config.access_log,
            "ssl_protocols": config.ssl_protocols,
            "ssl_ciphers": config.ssl_ciphers,
            "enable_ocsp": config.enable_ocsp,
            "ocsp_allow_local": bool(config.manifests),
            "ssl_session_tickets": config.ssl_session_tickets,
            "certificate_expiry_warning_s": round(config.certificate_expiry_warning),
            "http2": config.http2,
            "h2c": config.h2c,
            "http3": config.http3,
            "http3_advertise_port": config.http3_advertise_port,
            "head_timeout_ms": _milliseconds(config.head_timeout),
            "idle_timeout_ms": _milliseconds(config.idle_timeout),
            "body_timeout_ms": _milliseconds(config.body_timeout),
            "handshake_timeout_ms": _milliseconds(config.handshake_timeout),
            "stream_timeout_ms": _milliseconds(config.stream_timeout),
            "connection_limit": config.max_connections,
            "metrics_per_ingress": config.metrics_per_ingress,
            "version": _core.__version__,
        }
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
