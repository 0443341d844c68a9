"""TCP and UDP services: the entries of their ConfigMaps and flags become one value for each port.

The format is that of ingress-nginx: `"9000": "namespace/service:port[:PROXY][:PROXY]"`. The first PROXY takes a PROXY
header from clients, the second sends one to endpoints, in version 1; `PROXYV2` there sends version 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from fastingress.model import Key, Stream, Target
from fastingress.objects import ConfigMap
from fastingress.objects.syntax import port_name_fault
from fastingress.store import View
from fastingress.translate.backends import endpoints_key
from fastingress.translate.findings import Finding
from fastingress.translate.options import Options, StreamOptions

_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SERVICE = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})")
_FORM = "namespace/service:port, then :PROXY to take a PROXY header and :PROXY to send one"
_SENT = {"": 0, "PROXY": 1, "PROXYV2": 2}


class _Entry(Struct, frozen=True):
    """One port as somebody asks for it."""

    port: str
    value: str
    origin: str
    """In words."""
    config: ConfigMap | None = None

    def finding(self, code: str, message: str) -> Finding:
        """What is wrong with it."""
        text = f"{self.origin}: {message}"
        if self.config is None:
            return Finding(code, "error", text)
        return Finding(code, "error", text, self.config.ref, self.config.origin)


class _Service(Struct, frozen=True):
    """The value of an entry, read."""

    service: str
    endpoints: str
    accept_proxy: bool
    send_proxy: int


def translate_streams(view: View, options: Options) -> tuple[dict[Key, Stream], list[Finding]]:
    """The services by key, and all that is wrong with what asks for them."""
    streams: dict[Key, Stream] = {}
    findings: list[Finding] = []
    for layer in ("tcp", "udp"):
        taken: dict[int, str] = {port: flag for (kind, port), flag in options.streams.reserved.items() if kind == layer}
        for entry in _entries(view, layer, options.streams, findings):
            try:
                port, stream = _translate(layer, entry, options, findings)
            except ValueError as fault:
                findings.append(entry.finding("InvalidStream", f"{fault}; the port is not opened"))
                continue
            if port in taken:
                findings.append(entry.finding("PortTaken", f"port {port} is that of {taken[port]}; it is left out"))
                continue
            taken[port] = entry.origin
            streams["stream", f"{layer}/{port}"] = stream
    return streams, findings


def targets(streams: Iterable[Stream]) -> frozenset[Key]:
    """The endpoint sets that they lead to."""
    return frozenset(("endpoints", stream.target.endpoints) for stream in streams)


def _entries(view: View, layer: str, options: StreamOptions, findings: list[Finding]) -> Iterator[_Entry]:
    """Those of flags, then those of the ConfigMap, by port."""
    flags, named = (options.tcp, options.tcp_config_map) if layer == "tcp" else (options.udp, options.udp_config_map)
    for text in flags:
        port, _, value = text.partition("=")
        yield _Entry(port, value, f"--{layer} {text}")
    if not named:
        return
    flag = f"--{layer}-services-configmap"
    config = view.get("ConfigMap", *named.split("/", 1))
    if config is None:
        message = f"{flag}: ConfigMap {named} does not exist, or may not be read"
        findings.append(Finding("MissingConfigMap", "error", message))
        return
    for port, value in sorted(config.data.items()):
        yield _Entry(port, value, f"ConfigMap {named} ({flag}): data[{port}]", config)


def _translate(layer: str, entry: _Entry, options: Options, findings: list[Finding]) -> tuple[int, Stream]:
    """Raises ValueError for what makes no sense."""
    port = _port(entry.port)
    service = _service(layer, entry.value)
    if service.accept_proxy and not options.streams.takes_proxy:
        message = "connections are refused until --proxy-protocol-from says which networks PROXY headers are taken from"
        findings.append(entry.finding("UntrustedProxy", message))
    return port, Stream(
        target=Target(service=service.service, endpoints=service.endpoints),
        accept_proxy=service.accept_proxy,
        send_proxy=service.send_proxy,
        idle_timeout_ms=options.streams.tcp_idle_ms if layer == "tcp" else options.streams.udp_idle_ms,
        origin=entry.origin,
    )


def _port(text: str) -> int:
    word = text.strip()
    if not word.isascii() or not word.isdecimal() or len(word) > 5 or not 0 < int(word) < 65536:
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    return int(word)


def _service(layer: str, text: str) -> _Service:
    path, *rest = text.strip().split(":")
    match = _SERVICE.fullmatch(path)
    if match is None or not 1 <= len(rest) <= 3:
        raise ValueError(f"{text!r} is not {_FORM}")
    port = rest[0]
    if port.isdecimal():
        _port(port)
    elif port_name_fault(port):
        raise ValueError(f"{port!r} is neither the number nor the name of a port")
    accept, send = (word.upper() for word in (*rest[1:], "", "")[:2])
    if accept not in ("", "PROXY") or send not in _SENT:
        raise ValueError(f"{text!r} is not {_FORM}")
    if layer == "udp" and (accept or send):
        raise ValueError("there are no PROXY headers with UDP")
    return _Service(
        service=endpoints_key(match["namespace"], match["name"], port),
        endpoints=endpoints_key(match["namespace"], match["name"], port, udp=layer == "udp"),
        accept_proxy=accept == "PROXY",
        send_proxy=_SENT[send],
    )
