"""What the user chose that translation depends on. Checked here once, so that the rest can rely on it."""

from __future__ import annotations

import ipaddress
import re

import msgspec
from msgspec import Struct

from fastingress.model import Compat, Settings
from fastingress.objects.syntax import port_name_fault
from fastingress.translate.entries import LAYERS, Layer, parse_destination, parse_port

OWN_PREFIX = "fastingress.io/"
NGINX_PREFIX = "nginx.ingress.kubernetes.io/"
DEFAULT_CLASS = "fastingress"
DEFAULT_CONTROLLER = "fastingress.io/ingress-controller"

_SERVICE = re.compile(r"(?P<namespace>[a-z0-9.-]+)/(?P<name>[a-z0-9.-]+)(?::(?P<port>[a-z0-9-]+))?")
_SECRET = re.compile(r"[a-z0-9.-]+/[a-z0-9.-]+")


class StreamOptions(Struct, frozen=True, kw_only=True):
    """What listens on ports of its own. Raises ValueError, naming the flag, for one that can never serve."""

    tcp: tuple[str, ...] = ()
    """`PORT=namespace/service:port[:PROXY][:PROXY]` each."""
    udp: tuple[str, ...] = ()
    tcp_config_map: str = ""
    """`namespace/name` of a ConfigMap with such entries; empty for none."""
    udp_config_map: str = ""
    tcp_idle_ms: int = 600_000
    udp_idle_ms: int = 60_000
    reserved: dict[tuple[str, int], str] = {}
    """Ports that are in use otherwise, by layer, with the flag that says so."""
    takes_proxy: bool = False
    """Whether PROXY headers are taken from anywhere."""

    def __post_init__(self) -> None:
        for layer in LAYERS:
            taken = {port: flag for (kind, port), flag in self.reserved.items() if kind == layer}
            for text in self.tcp if layer == "tcp" else self.udp:
                flag = f"--{layer} {text}"
                try:
                    port = self._port(layer, text)
                except ValueError as fault:
                    raise ValueError(f"{flag}: {fault}") from None
                if port in taken:
                    raise ValueError(f"{flag}: port {port} is that of {taken[port]}")
                taken[port] = flag

    def _port(self, layer: Layer, text: str) -> int:
        port, _, value = text.partition("=")
        number, destination = parse_port(port), parse_destination(layer, value)
        if destination.accept_proxy and not self.takes_proxy:
            raise ValueError(
                "--proxy-protocol-from has to say which networks PROXY headers are taken from (0.0.0.0/0,::/0: all)"
            )
        return number

    @property
    def wanted(self) -> bool:
        """Whether there can be any."""
        return bool(self.tcp or self.udp or self.tcp_config_map or self.udp_config_map)


class Options(Struct, frozen=True, kw_only=True):
    """Choices of the process. Raises ValueError, naming the flag, for one that makes no sense."""

    ingress_class: str = DEFAULT_CLASS
    """The name of our own class: what the legacy annotation may say, and, with `class_by_name`, the field."""
    controller_class: str = DEFAULT_CONTROLLER
    """Ingresses of every IngressClass with this `spec.controller` are served."""
    class_by_name: bool = True
    """Serve Ingresses of the class `ingress_class`, whatever IngressClass of that name exists, if any."""
    all_classes: bool = False
    """Serve all Ingresses, whatever their class."""
    watch_without_class: bool = False
    """Serve Ingresses that name no class while there is no default class."""
    assign_default_class: bool = True
    """Give Ingresses that name no class the default class, as an API server does at creation. False in a cluster."""
    compat: Compat = "strict"
    service_upstream: bool = False
    """Send requests to the ClusterIP of a Service unless an Ingress says otherwise."""
    own_node: str = ""
    """The Node whose zone's endpoints are preferred; empty for no preference."""
    default_backend_service: str = ""
    """`namespace/name` or `namespace/name:port`; without a port the first one of the Service."""
    default_ssl_certificate: str = ""
    """`namespace/name` of a Secret."""
    ssl_session_ticket_secret: str = ""
    """`namespace/name` of a Secret."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks, or single addresses."""
    allow_cross_namespace_resources: bool = False
    """Let annotations name Secrets of other namespaces than their own."""
    annotation_prefixes: tuple[str, ...] = (OWN_PREFIX, NGINX_PREFIX)
    """Each ends in `/`. When two name the same key, the earlier prefix wins."""
    ssl_passthrough: bool = False
    """Heed the annotation `ssl-passthrough`."""
    streams: StreamOptions = StreamOptions()
    allow_local_endpoints: bool = False
    """Let Services name loopback and link-local addresses by hand. True for local manifests."""
    settings: Settings = Settings()
    """What routes inherit. The options above win over fields of the same meaning."""

    def __post_init__(self) -> None:
        if self.default_backend_service:
            _check_service(self.default_backend_service)
        for flag, secret in (
            ("--default-ssl-certificate", self.default_ssl_certificate),
            ("--ssl-session-ticket-secret", self.ssl_session_ticket_secret),
        ):
            if secret and not _SECRET.fullmatch(secret):
                raise ValueError(f"{flag}: {secret!r} is not namespace/name")
        for prefix in self.annotation_prefixes:
            if not prefix.endswith("/"):
                raise ValueError(f"an annotation prefix ends in '/', {prefix!r} does not")
        msgspec.structs.force_setattr(self, "trusted_proxies", tuple(map(_network, self.trusted_proxies)))

    @property
    def default_backend_key(self) -> str:
        """The key of the endpoint set of the default backend; empty without one."""
        match = _SERVICE.fullmatch(self.default_backend_service)
        return f"{match['namespace']}/{match['name']}:{match['port'] or ''}" if match else ""


def _check_service(text: str) -> None:
    match = _SERVICE.fullmatch(text)
    if match is None:
        raise ValueError(f"--default-backend-service: {text!r} is not namespace/name or namespace/name:port")
    port = match["port"]
    if port is None:
        return
    if port.isdecimal():
        if len(port) > 5 or not 0 < int(port) < 65536:
            raise ValueError(f"--default-backend-service: the port of {text!r} is not in 1 to 65535")
    elif port_name_fault(port):
        raise ValueError(f"--default-backend-service: {port!r} is neither the number nor the name of a port")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as cause:
        raise ValueError(f"--trusted-proxies: {text!r} is not a network such as 10.0.0.0/8") from cause
