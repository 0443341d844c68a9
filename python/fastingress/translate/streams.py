"""TCP and UDP services: the entries of their ConfigMaps and flags become one value for each port.

How an entry is written is said in `entries`. An entry that makes no sense is a problem of its own; the others serve.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from fastingress.model import Key, Stream, Target
from fastingress.objects import ConfigMap
from fastingress.store import View
from fastingress.translate.backends import endpoints_key
from fastingress.translate.entries import LAYERS, Destination, Layer, parse_destination, parse_port
from fastingress.translate.findings import Finding, Owner
from fastingress.translate.options import Options, StreamOptions

_LOST = {"tcp": "connections to port {} are closed", "udp": "datagrams to port {} are dropped"}


class Streams(Struct, frozen=True):
    """What came of all entries."""

    values: dict[Key, Stream] = {}
    findings: tuple[Finding, ...] = ()
    owners: dict[Key, tuple[Owner, ...]] = {}
    """By the endpoint set that they lead to: those that are told what is wrong with it."""


class _Entry(Struct, frozen=True):
    """One port as somebody asks for it."""

    layer: Layer
    port: str
    value: str
    flag: str
    """That says so, or that names the ConfigMap."""
    config: ConfigMap | None = None

    @property
    def place(self) -> str:
        """As its owner looks for it: in the ConfigMap if there is one."""
        return self.flag if self.config is None else f"data[{self.port}]"

    @property
    def origin(self) -> str:
        """In words that say it all."""
        return self.flag if self.config is None else f"{self.config.ref} ({self.flag}): {self.place}"

    def finding(self, code: str, message: str) -> Finding:
        """What is wrong with it."""
        text = f"{self.place}: {message}"
        if self.config is None:
            return Finding(code, "error", text)
        return Finding(code, "error", text, self.config.ref, self.config.origin)

    def owner(self, port: int) -> Owner:
        """Who is told what is wrong with the Service."""
        ref, origin = (None, None) if self.config is None else (self.config.ref, self.config.origin)
        return Owner(ref, origin, place=self.place, lost=_LOST[self.layer].format(port), has_requests=False)


def translate_streams(view: View, options: Options) -> Streams:
    """The services by key, and all that is wrong with what asks for them."""
    values: dict[Key, Stream] = {}
    findings: list[Finding] = []
    owners: dict[Key, tuple[Owner, ...]] = {}
    for layer in LAYERS:
        taken: dict[int, str] = {port: flag for (kind, port), flag in options.streams.reserved.items() if kind == layer}
        for entry in _entries(view, layer, options.streams, findings):
            try:
                port, destination = parse_port(entry.port), parse_destination(layer, entry.value)
            except ValueError as fault:
                findings.append(entry.finding("InvalidStream", f"{fault}; no port is opened for it"))
                continue
            if port in taken:
                findings.append(entry.finding("PortTaken", f"port {port} is that of {taken[port]}; it is left out"))
                continue
            taken[port] = entry.origin
            if destination.accept_proxy and not options.streams.takes_proxy:
                findings.append(_untrusted(entry, port))
            stream = values["stream", f"{layer}/{port}"] = _stream(entry, destination, options.streams)
            key = ("endpoints", stream.target.endpoints)
            owners[key] = (*owners.get(key, ()), entry.owner(port))
    return Streams(values, tuple(findings), owners)


def _entries(view: View, layer: Layer, options: StreamOptions, findings: list[Finding]) -> Iterator[_Entry]:
    """Those of flags, then those of the ConfigMap, by port."""
    flags, named = (options.tcp, options.tcp_config_map) if layer == "tcp" else (options.udp, options.udp_config_map)
    for text in flags:
        port, _, value = text.partition("=")
        yield _Entry(layer, port, value, f"--{layer} {text}")
    if not named:
        return
    flag = f"--{layer}-services-configmap"
    config = view.get("ConfigMap", *named.split("/", 1))
    if config is None:
        message = f"{flag}: ConfigMap {named} does not exist, may not be read, or is not valid"
        findings.append(Finding("MissingConfigMap", "error", message))
        return
    for port, value in sorted(config.data.items()):
        yield _Entry(layer, port, value, flag, config)


def _untrusted(entry: _Entry, port: int) -> Finding:
    message = (
        f"connections to port {port} are closed until --proxy-protocol-from says which networks PROXY headers are "
        "taken from"
    )
    return entry.finding("UntrustedProxy", message)


def _stream(entry: _Entry, to: Destination, options: StreamOptions) -> Stream:
    is_udp = entry.layer == "udp"
    return Stream(
        target=Target(
            service=endpoints_key(to.namespace, to.name, to.port),
            endpoints=endpoints_key(to.namespace, to.name, to.port, udp=is_udp),
        ),
        accept_proxy=to.accept_proxy,
        send_proxy=to.send_proxy,
        idle_timeout_ms=options.udp_idle_ms if is_udp else options.tcp_idle_ms,
        origin=entry.origin,
    )
