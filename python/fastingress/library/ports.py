"""The TCP and UDP services of a desired state, without a gateway that opens their ports."""

from __future__ import annotations

from collections.abc import Mapping

from fastingress.library.views import Layer, PortView
from fastingress.model import EndpointSet, Key, Stream, decode

_LAYERS: dict[str, Layer] = {"tcp": "tcp", "udp": "udp"}


def ports_of(state: Mapping[Key, bytes]) -> list[PortView]:
    """By protocol and port."""
    found = [_port(name, decode(blob, Stream), state) for (kind, name), blob in state.items() if kind == "stream"]
    return sorted(found, key=lambda one: (one.protocol, one.port))


def _port(name: str, stream: Stream, state: Mapping[Key, bytes]) -> PortView:
    layer, _, port = name.partition("/")
    blob = state.get(("endpoints", stream.target.endpoints))
    endpoints = EndpointSet() if blob is None else decode(blob, EndpointSet)
    return PortView(
        protocol=_LAYERS[layer],
        port=int(port),
        service=stream.target.service,
        origin=stream.origin,
        endpoints=endpoints.addresses,
        known=endpoints.known,
        accept_proxy=stream.accept_proxy,
        send_proxy=stream.send_proxy,
        idle_timeout_ms=stream.idle_timeout_ms,
        dns=endpoints.dns.name if endpoints.dns is not None else None,
    )
