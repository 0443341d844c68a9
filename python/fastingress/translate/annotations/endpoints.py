"""Endpoints written by hand on a Service: for manifests without a cluster."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from fastingress.translate.annotations.declare import Annotation, Family, ValueType
from fastingress.translate.annotations.values import csv, host_name

_DIGITS = re.compile(r"[0-9]+")


class Host(NamedTuple):
    """An address or a name, and a port."""

    name: str
    port: int
    is_address: bool


def _hosts(text: str) -> tuple[Host, ...]:
    """At least one; a name only alone."""
    hosts = tuple(_host(item) for item in csv(text))
    if not hosts:
        raise ValueError("names no endpoint, write one such as 127.0.0.1:9001")
    named = next((host.name for host in hosts if not host.is_address), None)
    if named is not None and len(hosts) > 1:
        raise ValueError(f"a name, as {named!r}, must be the only endpoint")
    return hosts


def _host(text: str) -> Host:
    name, colon, port = text.rpartition(":")
    if not colon or not _DIGITS.fullmatch(port):
        raise ValueError(f"{text!r} has no port: write it as 127.0.0.1:9001 or [::1]:9001")
    if len(port) > 5 or not 0 < int(port) < 65536:
        raise ValueError(f"the port of {text!r} is not in 1 to 65535")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if "%" in bare:
        raise ValueError(f"{text!r} has a zone, which an endpoint cannot have")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return Host(host_name(name), int(port), is_address=False)
    if address.version == 6 and bare == name:
        raise ValueError(f"{text!r} needs brackets: [{name}]:{port}")
    return Host(str(address), int(port), is_address=True)


ENDPOINTS = Annotation(
    "endpoints",
    ValueType("list of address:port", "127.0.0.1:9001, 127.0.0.1:9002", _hosts),
    "The endpoints of every port of this Service, in place of its EndpointSlices; or one name:port, resolved by DNS.",
    risk="high",
    on="Service",
)

FAMILY = Family("On Services", (ENDPOINTS,))
