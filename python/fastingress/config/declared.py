"""Every option, declared once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from fastingress.config.flag import FLAGS, Flag, declare
from fastingress.config.kinds import (
    ADDRESS,
    BOOLEAN,
    DURATION,
    NETWORKS,
    PATHS,
    PORT,
    POSITIVE_DURATION,
    SECRET,
    SERVICE_PORT,
    SIZE,
    TEXT,
    choice,
    many,
    number,
)

_WHAT = "What to serve"
_LISTEN = "Where to listen"
_TLS = "TLS"
_LIMITS = "Timeouts and limits"
_SEE = "Seeing what it does"
_STOP = "Stopping"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The values of all options. Durations are seconds, sizes are bytes."""

    manifests: tuple[str, ...] = declare(
        PATHS,
        (),
        _WHAT,
        "A manifest file, or a folder of them, read recursively and followed. May be given several times.",
    )
    ingress_class: str = declare(
        TEXT, "fastingress", _WHAT, "The IngressClass that is ours. An Ingress that names it is served."
    )
    watch_ingress_without_class: bool = declare(BOOLEAN, True, _WHAT, "Serve Ingresses that name no class as well.")
    compat: Literal["strict", "ingress-nginx"] = declare(
        choice("strict", "ingress-nginx"),
        "strict",
        _WHAT,
        "Whose reading to follow where the Ingress API leaves room: each path as its own Ingress says, or host-wide "
        "regular expressions as in ingress-nginx.",
    )
    default_backend_service: str | None = declare(
        SERVICE_PORT,
        None,
        _WHAT,
        "The Service that takes what no rule takes, at its first port if none is given. Without it, the answer is 404.",
    )
    trusted_proxies: tuple[str, ...] = declare(
        NETWORKS, (), _WHAT, "Networks whose X-Forwarded-* headers are believed. May be given several times."
    )

    http_port: int | None = declare(PORT, 8080, _LISTEN, "The port for plain HTTP; 0 for a free one, off for none.")
    https_port: int | None = declare(PORT, 8443, _LISTEN, "The port for TLS; 0 for a free one, off for none.")
    bind: tuple[str, ...] = declare(
        many(ADDRESS, empty="all addresses, IPv4 and IPv6"),
        (),
        _LISTEN,
        "An address to listen on. May be given several times.",
    )
    admin_port: int | None = declare(
        PORT,
        10254,
        _LISTEN,
        "The port for /metrics, /healthz, /readyz, /routes and /problems; 0 for a free one, off for none.",
    )
    admin_bind: tuple[str, ...] = declare(
        many(ADDRESS, empty="all addresses"),
        ("127.0.0.1",),
        _LISTEN,
        "An address for the admin port. May be given several times.",
    )
    workers: int = declare(
        number(least=0, most=1024, zero="one per core this process may use"),
        0,
        _LISTEN,
        "How many worker threads, 1024 at most.",
    )

    default_ssl_certificate: str | None = declare(
        SECRET, None, _TLS, "The Secret for server names that have no certificate. Without it one is made up at start."
    )
    ssl_protocols: tuple[str, ...] = declare(
        many(choice("TLSv1.2", "TLSv1.3"), empty="none"), ("TLSv1.2", "TLSv1.3"), _TLS, "The TLS versions to offer."
    )
    ssl_ciphers: tuple[str, ...] = declare(
        many(TEXT, empty="all that are held safe", split=",:"),
        (),
        _TLS,
        "Cipher suites by IANA or OpenSSL name, in order of preference.",
    )

    connect_timeout: float = declare(POSITIVE_DURATION, 5.0, _LIMITS, "To connect to an endpoint.")
    read_timeout: float = declare(POSITIVE_DURATION, 60.0, _LIMITS, "Between two reads from an endpoint.")
    send_timeout: float = declare(POSITIVE_DURATION, 60.0, _LIMITS, "Between two writes to an endpoint.")
    head_timeout: float = declare(POSITIVE_DURATION, 10.0, _LIMITS, "For a client to send a whole request head.")
    idle_timeout: float = declare(POSITIVE_DURATION, 75.0, _LIMITS, "For a client connection to idle between requests.")
    body_timeout: float = declare(
        POSITIVE_DURATION, 60.0, _LIMITS, "Between two reads of a request body, or two writes of an answer."
    )
    handshake_timeout: float = declare(POSITIVE_DURATION, 10.0, _LIMITS, "For a TLS handshake.")
    body_limit: int = declare(
        SIZE, 1 << 20, _LIMITS, "Largest request body, unless an Ingress says otherwise; 0 for no limit."
    )
    max_connections: int = declare(
        number(least=0, zero="derived from the limit on open files"), 0, _LIMITS, "How many client connections at most."
    )

    access_log: Literal["json", "text", "off"] = declare(
        choice("json", "text", "off"), "text", _SEE, "What to write to standard output for each request."
    )
    log_level: Literal["debug", "info", "warning", "error"] = declare(
        choice("debug", "info", "warning", "error"), "info", _SEE, "The least level of log lines on standard error."
    )
    log_format: Literal["json", "text"] = declare(choice("json", "text"), "text", _SEE, "The form of these log lines.")
    metrics_per_ingress: bool = declare(
        BOOLEAN, True, _SEE, "Label metrics by Ingress; without it all requests count under one set of labels."
    )

    shutdown_delay: float = declare(
        DURATION,
        5.0,
        _STOP,
        "After SIGTERM, how long to go on accepting while reported as not ready. An interrupt (ctrl-C) skips it.",
    )
    drain_timeout: float = declare(DURATION, 25.0, _STOP, "Then, how long requests in flight may take to end.")


def _register() -> None:
    for one in fields(Config):
        FLAGS[one.name] = Flag(
            name=one.name,
            kind=one.metadata["kind"],
            default=one.default,
            group=one.metadata["group"],
            help=one.metadata["help"],
        )


_register()
