"""The format of TCP and UDP services, that of ingress-nginx: port and `namespace/service:port[:PROXY][:PROXY]`.

The first PROXY takes a PROXY header from clients, the second sends one to endpoints, in version 1; `PROXYV2` there
sends version 2. Who asks for what, and whether a port can be had, is not known here.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from fastingress.objects.syntax import port_name_fault

Layer = Literal["tcp", "udp"]
LAYERS: tuple[Layer, ...] = ("tcp", "udp")

_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SERVICE = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})")
_FORM = "namespace/service:port, then :PROXY to take a PROXY header and :PROXY to send one"
_SENT = {"": 0, "PROXY": 1, "PROXYV2": 2}


class Destination(Struct, frozen=True):
    """Where the streams of a port go."""

    namespace: str
    name: str
    port: str
    """Of the Service, by number or name."""
    accept_proxy: bool
    send_proxy: int
    """The version of the header that is sent; 0 for none."""


def parse_port(text: str) -> int:
    """The port that is opened, in its one spelling: no sign and no zeros in front. Raises ValueError."""
    word = text.strip()
    if not word.isascii() or not word.isdecimal() or len(word) > 5 or not 0 < int(word) < 65536:
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    if word.startswith("0"):
        raise ValueError(f"{text!r} is not a port: it is written {int(word)}")
    return int(word)


def parse_destination(layer: Layer, text: str) -> Destination:
    """Where its streams go. Raises ValueError."""
    path, *rest = text.strip().split(":")
    match = _SERVICE.fullmatch(path)
    if match is None or not 1 <= len(rest) <= 3:
        raise ValueError(f"{text!r} is not {_FORM}")
    port = rest[0]
    if port.isdecimal():
        parse_port(port)
    elif port_name_fault(port):
        raise ValueError(f"{port!r} is neither the number nor the name of a port")
    accept, send = (word.upper() for word in (*rest[1:], "", "")[:2])
    if accept not in ("", "PROXY") or send not in _SENT:
        raise ValueError(f"{text!r} is not {_FORM}")
    if layer == "udp" and (accept or send):
        raise ValueError("there are no PROXY headers with UDP")
    return Destination(match["namespace"], match["name"], port, accept == "PROXY", _SENT[send])
