"""Every option, declared once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from fastingress.config.flag import FLAGS, Flag, declare
from fastingress.config.kinds import (
    ADDRESS,
    BOOLEAN,
    CONTROLLER,
    DAYS,
    DURATION,
    FILE,
    NAMESPACE,
    NETWORKS,
    OPTIONAL_TEXT,
    PATHS,
    PORT,
    POSITIVE_DURATION,
    SECRET,
    SELECTOR,
    SERVICE,
    SERVICE_PORT,
    SIZE,
    STREAMS,
    SUBDOMAIN,
    TEXT,
    UNLESS_SAID,
    choice,
    many,
    number,
)

_WHAT = "What to serve"
_CLUSTER = "The cluster"
_CLASS = "Which Ingresses are ours"
_STATUS = "Status and Events"
_LISTEN = "Where to listen"
_TLS = "TLS"
_LIMITS = "Timeouts and limits"
_SEE = "Seeing what it does"
_STOP = "Stopping"

CLUSTER_GROUPS = frozenset({_CLUSTER, _STATUS})
"""Groups of options that mean nothing without a cluster."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The values of all options. Durations are seconds, sizes are bytes."""

    manifests: tuple[str, ...] = declare(
        PATHS,
        (),
        _WHAT,
        "A manifest file, or a folder of them, read recursively and followed. May be given several times. Without it "
        "the Ingresses of a cluster are served.",
    )
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
    service_upstream: bool = declare(
        BOOLEAN,
        False,
        _WHAT,
        "Send requests to the ClusterIP of a Service in place of its endpoints, unless an Ingress says otherwise.",
    )
    allow_cross_namespace_resources: bool = declare(
        BOOLEAN,
        False,
        _WHAT,
        "Let annotations name Secrets of other namespaces than that of their Ingress.",
    )
    trusted_proxies: tuple[str, ...] = declare(
        NETWORKS, (), _WHAT, "A network whose X-Forwarded-* headers are believed. May be given several times."
    )

    ingress_class: str = declare(
        TEXT,
        "fastingress",
        _CLASS,
        "The name of our IngressClass. With --manifests every Ingress that names it is served. In a cluster it is the "
        "name that the old annotation kubernetes.io/ingress.class may have, whatever IngressClass there is.",
    )
    controller_class: str = declare(
        CONTROLLER,
        "fastingress.io/ingress-controller",
        _CLASS,
        "Ingresses of every IngressClass with this spec.controller are served. Of several controllers in a cluster "
        "each needs its own.",
    )
    ingress_class_by_name: bool = declare(
        BOOLEAN,
        False,
        _CLASS,
        "In a cluster: serve Ingresses whose class is named as --ingress-class says, whatever controller that has.",
    )
    watch_ingress_without_class: bool | None = declare(
        UNLESS_SAID,
        None,
        _CLASS,
        "Serve Ingresses that name no class as well. Unless said: with --manifests only.",
    )
    all_ingress_classes: bool = declare(
        BOOLEAN,
        False,
        _CLASS,
        "Serve every Ingress, whatever its class: beside another controller, to compare. Then no status is written "
        "unless --update-status says so.",
    )

    kubeconfig: str | None = declare(
        FILE,
        None,
        _CLUSTER,
        "The kubeconfig to reach the cluster with. Without it: the service account of the pod, or what kubectl uses.",
    )
    context: str | None = declare(OPTIONAL_TEXT, None, _CLUSTER, "The context of the kubeconfig. Without it: its own.")
    watch_namespace: tuple[str, ...] = declare(
        many(NAMESPACE, empty="all", filled=True),
        (),
        _CLUSTER,
        "A namespace whose objects are watched, and no other's. May be given several times.",
    )
    watch_namespace_selector: str | None = declare(
        SELECTOR,
        None,
        _CLUSTER,
        "Watch the namespaces whose labels this selects, such as team=shop,stage!=test, as they come and go.",
    )
    secret_access: Literal["watch", "named"] = declare(
        choice("watch", "named"),
        "watch",
        _CLUSTER,
        "How Secrets are read: all watched, and only those that are used kept; or each used one on its own, so that no "
        "permission to list is needed.",
    )
    topology_aware_routing: bool = declare(
        BOOLEAN,
        False,
        _CLUSTER,
        "Prefer the endpoints that their hints mean for our zone, as long as there is one. The zone is that of the "
        "Node named by NODE_NAME.",
    )

    publish_service: str | None = declare(
        SERVICE, None, _STATUS, "The Service we are reached by: its addresses are written into the status of Ingresses."
    )
    publish_status_address: tuple[str, ...] = declare(
        many(TEXT, empty="none"),
        (),
        _STATUS,
        "An address or host name to write into the status of Ingresses, in place of a Service's. May be given several "
        "times.",
    )
    publish_node_addresses: Literal["off", "internal", "external"] = declare(
        choice("off", "internal", "external"),
        "off",
        _STATUS,
        "Write the addresses of the Nodes that our pods run on into the status of Ingresses.",
    )
    update_status: bool | None = declare(
        UNLESS_SAID,
        None,
        _STATUS,
        "Write the status of Ingresses. Unless said: when there is an address to write, and not with "
        "--all-ingress-classes.",
    )
    publish_events: bool = declare(BOOLEAN, True, _STATUS, "Report problems as Events on the objects they are about.")
    election_id: str = declare(
        SUBDOMAIN,
        "fastingress-leader",
        _STATUS,
        "The name of the Lease by which replicas agree on who writes status and Events.",
    )

    http_port: int | None = declare(PORT, 8080, _LISTEN, "The port for plain HTTP; 0 for a free one, off for none.")
    https_port: int | None = declare(PORT, 8443, _LISTEN, "The port for TLS; 0 for a free one, off for none.")
    h2c: bool = declare(BOOLEAN, False, _LISTEN, "Take HTTP/2 with prior knowledge on the plain port, beside HTTP/1.1.")
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
        "The port for metrics, health, and what is served and wrong, which / lists; 0 for a free one, off for none.",
    )
    admin_bind: tuple[str, ...] = declare(
        many(ADDRESS, empty="all addresses"),
        ("127.0.0.1",),
        _LISTEN,
        "An address for the admin port. May be given several times.",
    )
    use_proxy_protocol: bool = declare(
        BOOLEAN,
        False,
        _LISTEN,
        "Connections to the HTTP and HTTPS ports begin with a PROXY header, version 1 or 2, which says who the client "
        "is. One without it is closed. Needs --proxy-protocol-from.",
    )
    proxy_protocol_from: tuple[str, ...] = declare(
        NETWORKS,
        (),
        _LISTEN,
        "Networks of the load balancers that send PROXY headers, to the HTTP and HTTPS ports and to TCP services that "
        "ask for them. Connections from elsewhere are closed. 0.0.0.0/0,::/0 believes everyone. May be given several "
        "times.",
    )
    tcp: tuple[str, ...] = declare(
        STREAMS,
        (),
        _LISTEN,
        "A port for TCP, and the Service that its connections go to: 9000=default/db:5432. With :PROXY behind it "
        "clients have to send a PROXY header, with another :PROXY (or :PROXYV2) endpoints are sent one; ::PROXY for "
        "the second alone. May be given several times.",
    )
    udp: tuple[str, ...] = declare(
        STREAMS,
        (),
        _LISTEN,
        "A port for UDP, and the Service that its datagrams go to: 53=default/dns:53. May be given several times.",
    )
    tcp_services_configmap: str | None = declare(
        SERVICE,
        None,
        _LISTEN,
        "The ConfigMap of TCP services, in the format of ingress-nginx: the port as the key, "
        "namespace/service:port[:PROXY][:PROXY] as the value. Followed live.",
    )
    udp_services_configmap: str | None = declare(
        SERVICE, None, _LISTEN, "The ConfigMap of UDP services, in the same format, without PROXY."
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
    hsts: bool = declare(
        BOOLEAN,
        True,
        _TLS,
        "Send Strict-Transport-Security with answers over TLS, for hosts that have a certificate.",
    )
    hsts_max_age: int = declare(
        number(least=0, most=10**15), 31_536_000, _TLS, "The max-age of Strict-Transport-Security, in seconds."
    )
    hsts_include_subdomains: bool = declare(
        BOOLEAN, True, _TLS, "Let Strict-Transport-Security speak for all subdomains of the host."
    )
    hsts_preload: bool = declare(
        BOOLEAN, False, _TLS, "Let Strict-Transport-Security ask for a place in the lists that browsers come with."
    )
    ssl_session_tickets: bool = declare(
        BOOLEAN,
        True,
        _TLS,
        "Let clients keep their sessions in tickets, whose keys change by themselves. Otherwise sessions are kept "
        "here, a bounded number of them.",
    )
    ssl_session_ticket_secret: str | None = declare(
        SECRET,
        None,
        _TLS,
        "The Secret with the keys of session tickets, so that replicas take each other's. Without it each process "
        "makes its own.",
    )
    certificate_expiry_warning: float = declare(
        DAYS,
        14 * 86_400.0,
        _TLS,
        "How long before its end a certificate is reported; 0 for only once it has expired.",
    )
    enable_ocsp: bool = declare(
        BOOLEAN,
        False,
        _TLS,
        "Ask the OCSP responders that certificates name, and staple their answers. What a Secret has in tls.ocsp is "
        "stapled in any case.",
    )
    ssl_protocols: tuple[str, ...] = declare(
        many(choice("TLSv1.2", "TLSv1.3"), empty="none"),
        ("TLSv1.2", "TLSv1.3"),
        _TLS,
        "A TLS version to offer. May be given several times.",
    )
    ssl_ciphers: tuple[str, ...] = declare(
        many(TEXT, empty="all that are held safe", split=",:"),
        (),
        _TLS,
        "A cipher suite by its IANA or OpenSSL name. May be given several times, in order of preference.",
    )

    http2: bool = declare(BOOLEAN, True, _TLS, "Offer HTTP/2 on the TLS port.")
    http3: bool = declare(
        BOOLEAN,
        False,
        _TLS,
        "Serve HTTP/3 on the UDP port of the same number as the TLS port, and say so in answers over TLS. "
        "Experimental, as the library behind it is.",
    )
    http3_advertise_port: int = declare(
        number(least=0, most=65535, zero="that of --https-port"),
        0,
        _TLS,
        "The port at which clients are told to find HTTP/3: that of the Service, usually 443, where there is one.",
    )
    enable_ssl_passthrough: bool = declare(
        BOOLEAN,
        False,
        _TLS,
        "Heed the annotation ssl-passthrough: TLS connections to such hosts go to their backends unopened. Costs every "
        "TLS connection a look at its server name while there is such a host.",
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
    stream_timeout: float = declare(
        POSITIVE_DURATION,
        600.0,
        _LIMITS,
        "For TCP services and TLS that passes through: without a byte either way, until the connection ends.",
    )
    udp_timeout: float = declare(
        POSITIVE_DURATION,
        60.0,
        _LIMITS,
        "For UDP services: without a datagram either way, until the session of a client ends. One that was never "
        "answered ends after 10 s.",
    )
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
    log_format: Literal["json", "text"] = declare(
        choice("json", "text"), "text", _SEE, "The form of log lines on standard error."
    )
    metrics_per_ingress: bool = declare(
        BOOLEAN, True, _SEE, "Label metrics by Ingress; without it all requests count under one set of labels."
    )

    shutdown_delay: float = declare(
        DURATION,
        5.0,
        _STOP,
        "After SIGTERM, how long to go on accepting while reported as not ready. An interrupt (ctrl-C) skips it.",
    )
    drain_timeout: float = declare(
        DURATION, 25.0, _STOP, "After --shutdown-delay, how long requests in flight may take to end."
    )


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
