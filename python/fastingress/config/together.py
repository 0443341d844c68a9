"""What options mean beside each other: contradictions are refused, and what has no effect beside the others is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from fastingress.config.declared import CLUSTER_GROUPS, Config
from fastingress.config.flag import FLAGS
from fastingress.errors import ConfigError

_ALL = {"0.0.0.0", "::"}


def refuse_contradictions(config: Config) -> None:
    """Raises `ConfigError` for the first option that cannot do what it is for."""
    for contradiction in _contradictions(config):
        raise ConfigError(contradiction)


def without_effect(config: Config) -> list[str]:
    """A line for each option that is not as by default and changes nothing, in the order of their declaration."""
    found = [
        f"{flag.option} has no effect {why}"
        for flag in FLAGS.values()
        if getattr(config, flag.name) != flag.default and (why := _why(flag.name, config))
    ]
    return [*found, *_idle_ciphers(config)]


def _contradictions(config: Config) -> Iterator[str]:
    if config.http_port is None and config.https_port is None:
        yield "--http-port, --https-port: both are off, there is nothing to serve"
    yield from _ports_given_twice(config)
    if config.use_proxy_protocol and not config.proxy_protocol_from:
        yield "--use-proxy-protocol: --proxy-protocol-from has to say which networks are believed (0.0.0.0/0,::/0: all)"
    if config.h2c and config.http_port is None:
        yield "--h2c: HTTP/2 in plain text is taken on --http-port, which is off"
    if config.http3 and config.https_port is None:
        yield "--http3: HTTP/3 is served on the UDP port of the same number as --https-port, which is off"
    if config.http3 and "TLSv1.3" not in config.ssl_protocols:
        yield f"--http3: HTTP/3 needs TLSv1.3, which is not among --ssl-protocols {','.join(config.ssl_protocols)}"
    for name in ("kubeconfig", "context") if config.manifests else ():
        if getattr(config, name) is not None:
            yield f"{FLAGS[name].option} is for a cluster, --manifests does without one: give one or the other"


def _ports_given_twice(config: Config) -> Iterator[str]:
    """Of the gateway itself; 0 is any that is free. Services on ports of their own are compared where they are read."""
    listeners = [
        ("--http-port", config.http_port, config.bind),
        ("--https-port", config.https_port, config.bind),
        ("--admin-port", config.admin_port, config.admin_bind),
    ]
    for (first, port, bind), (second, other, other_bind) in combinations(listeners, 2):
        if port and port == other and _overlap(bind, other_bind):
            yield f"{second}: port {port} is that of {first}"


def _overlap(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one port cannot be had at both. No address is all of them."""
    everywhere = any(not addresses or _ALL & set(addresses) for addresses in (some, others))
    return everywhere or bool(set(some) & set(others))


class _Rule(NamedTuple):
    """When some options have no effect."""

    names: tuple[str, ...]
    holds: Callable[[Config], object]
    why: str
    """Goes after "has no effect"."""


_OF_CLUSTERS = tuple(flag.name for flag in FLAGS.values() if flag.group in CLUSTER_GROUPS)
_OF_TLS = (
    "default_ssl_certificate",
    "hsts",
    "hsts_max_age",
    "hsts_include_subdomains",
    "hsts_preload",
    "ssl_session_tickets",
    "ssl_session_ticket_secret",
    "enable_ocsp",
    "ssl_protocols",
    "ssl_ciphers",
    "http2",
    "enable_ssl_passthrough",
    "handshake_timeout",
)
_ADDRESSES = ("publish_service", "publish_status_address", "publish_node_addresses")


def _writes_no_status(config: Config) -> bool:
    return config.update_status is False or (config.update_status is None and config.all_ingress_classes)


def _takes_headers(config: Config) -> bool:
    """Whether there are connections that may begin with a PROXY header."""
    by_flag = any(len(text.split(":")) > 2 and text.split(":")[2] for text in config.tcp)
    return config.use_proxy_protocol or bool(config.tcp_services_configmap) or by_flag


_RULES = (
    _Rule((*_OF_CLUSTERS, "ingress_class_by_name"), lambda c: c.manifests, "with --manifests"),
    _Rule(
        ("ingress_class_by_name", "watch_ingress_without_class"),
        lambda c: c.all_ingress_classes,
        "with --all-ingress-classes",
    ),
    _Rule(_ADDRESSES, _writes_no_status, "while no status is written: see --update-status"),
    _Rule(
        ("publish_service", "publish_node_addresses"),
        lambda c: c.publish_status_address,
        "beside --publish-status-address",
    ),
    _Rule(("publish_node_addresses",), lambda c: c.publish_service, "beside --publish-service"),
    _Rule(("admin_bind",), lambda c: c.admin_port is None, "with --admin-port off"),
    _Rule(
        ("proxy_protocol_from",),
        lambda c: not _takes_headers(c),
        "without --use-proxy-protocol or TCP services that take PROXY headers",
    ),
    _Rule(_OF_TLS, lambda c: c.https_port is None, "with --https-port off"),
    _Rule(
        ("hsts_max_age", "hsts_include_subdomains", "hsts_preload"),
        lambda c: not c.hsts,
        "with --no-hsts, but for classes whose parameters turn hsts on",
    ),
    _Rule(("ssl_session_ticket_secret",), lambda c: not c.ssl_session_tickets, "with --no-ssl-session-tickets"),
    _Rule(("http3_advertise_port",), lambda c: not c.http3, "without --http3"),
    _Rule(
        ("stream_timeout",),
        lambda c: not (c.tcp or c.tcp_services_configmap or c.enable_ssl_passthrough),
        "without --tcp, --tcp-services-configmap or --enable-ssl-passthrough",
    ),
    _Rule(
        ("udp_timeout",), lambda c: not (c.udp or c.udp_services_configmap), "without --udp or --udp-services-configmap"
    ),
)


def _idle_ciphers(config: Config) -> Iterator[str]:
    """Suites of a protocol version that is not offered."""
    for name in config.ssl_ciphers if config.https_port is not None else ():
        # Those of TLS 1.3 say nothing of the key exchange and of the certificate.
        version = "TLSv1.3" if name.startswith("TLS_") and "_WITH_" not in name else "TLSv1.2"
        if version not in config.ssl_protocols:
            yield f"--ssl-ciphers {name} has no effect without {version} among --ssl-protocols"


def _why(name: str, config: Config) -> str:
    """Why an option has no effect; nothing if it has one."""
    return next((rule.why for rule in _RULES if name in rule.names and rule.holds(config)), "")
