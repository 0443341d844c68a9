"""What is spoken to the endpoints of a backend."""

from __future__ import annotations

from fastingress.model import Protocol
from fastingress.translate.annotations.declare import Annotation, Family, ValueType
from fastingress.translate.annotations.values import BOOLEAN

_PROTOCOLS: dict[str, Protocol] = {
    "HTTP": "http",
    "HTTPS": "https",
    "GRPC": "h2c",
    "GRPCS": "h2",
    "H2C": "h2c",
    "AUTO_HTTP": "auto",
}
OF_SERVICES: dict[str, Protocol] = {
    "http": "http",
    "https": "https",
    "kubernetes.io/h2c": "h2c",
    "kubernetes.io/ws": "http",
    "kubernetes.io/wss": "https",
}
"""By the `appProtocol` of a Service's port."""


def _protocol(text: str) -> Protocol:
    word = text.strip().upper()
    if word == "FCGI":
        raise ValueError("FastCGI is not spoken; what is: " + ", ".join(_PROTOCOLS))
    if word not in _PROTOCOLS:
        raise ValueError(f"is none of {', '.join(_PROTOCOLS)}")
    return _PROTOCOLS[word]


BACKEND_PROTOCOL = Annotation(
    "backend-protocol",
    ValueType(" or ".join(f"`{word}`" for word in _PROTOCOLS), "GRPC", _protocol),
    "What the endpoints speak. `GRPC` and `H2C`: HTTP/2 without TLS; `GRPCS`: HTTP/2 over TLS; `AUTO_HTTP`: TLS if the "
    "client came over TLS. Wins over the `appProtocol` of a Service's port.",
    default="HTTP, or as the appProtocol of the Service's port says",
    scope="path",
    upstream="protocol",
)
GRPC_WEB = Annotation(
    "grpc-web",
    BOOLEAN,
    "Take gRPC-Web of browsers, binary and text, and pass it on as gRPC.",
    default="false",
    scope="path",
    policy="grpc_web",
)

FAMILY = Family("Protocol of backends", (BACKEND_PROTOCOL, GRPC_WEB))
