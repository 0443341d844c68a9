"""What is told of routes and ports, typed. The same JSON comes from `/routes`, `/explain` and `/streams`."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

PathKind = Literal["exact", "prefix", "raw_prefix", "regex"]

_TITLES: dict[PathKind, str] = {
    "exact": "Exact",
    "prefix": "Prefix",
    "raw_prefix": "ImplementationSpecific",
    "regex": "regex",
}


class RouteView(Struct, frozen=True):
    """A route as it is at one moment."""

    host: str
    """`shop.example.com`, `*.example.com`, or empty for every host."""
    path: str
    """As written; empty for a default backend."""
    kind: PathKind
    namespace: str
    """Of the Ingress; empty for the default backend of the controller."""
    ingress: str
    """The name of the Ingress; empty for the default backend of the controller."""
    uid: str
    rule: tuple[int, int] | None
    """The indices in `spec.rules[i].http.paths[j]`; None for a default backend."""
    service: str
    """`namespace/service:port`; empty if the route has none."""
    endpoints: tuple[str, ...]
    """`address:port` of each."""
    known: bool
    """False while nothing is known about the Service."""
    dns: str | None
    """The name that the endpoints are resolved from."""
    policy: dict[str, str]
    """What the Ingress sets, by the name of the annotation."""
    closed: bool = False
    """It is kept from its Service, since something of its Ingress could not be understood."""

    @property
    def path_type(self) -> str:
        """How the path is matched, in the words of the Ingress API; `default` for a default backend."""
        return "default" if self.rule is None else _TITLES[self.kind]

    @property
    def owner(self) -> str:
        """`namespace/name` of the Ingress."""
        return f"{self.namespace}/{self.ingress}" if self.ingress else "(controller)"

    @property
    def place(self) -> str:
        """Where the rule stands in its Ingress: `spec.rules[0].http.paths[1]`."""
        if self.rule is None:
            return "spec.defaultBackend" if self.ingress else "--default-backend-service"
        return f"spec.rules[{self.rule[0]}].http.paths[{self.rule[1]}]"


class Match(RouteView, frozen=True):
    """The route that takes a request."""


class Loser(Struct, frozen=True):
    """A rule that does not take a request."""

    route: RouteView
    reason: str


class ClientDemand(Struct, frozen=True):
    """What clients' certificates are to be (`auth-tls-*`)."""

    authority: str
    """The Secret that vouches for them: `namespace/name`."""
    verify: Literal["on", "optional", "optional_no_ca"]
    depth: int
    """Most certificates between that of the client and a root."""
    match_cn: str | None
    error_page: str | None
    pass_certificate: bool


class Explanation(Struct, frozen=True):
    """Which rule takes a request and why, and why no other does."""

    host: str
    path: str
    """In the form in which paths are compared."""
    compat: Literal["strict", "ingress-nginx"]
    winner: Match | None
    """None: the answer is 404."""
    reason: str
    host_has_certificate: bool
    losers: tuple[Loser, ...]
    """Every other rule of the hosts that fit, in the order in which they are considered."""
    passthrough: RouteView | None = None
    """Where TLS connections to the host go unopened: the rules are for plain requests alone."""
    client_auth: ClientDemand | None = None
    """What is asked of the certificates of clients whose request this is."""
    certificate: str | None = None
    """The Secret that is named for the host, `namespace/name`; what is wrong with it is among the problems."""
    https_redirect: bool = False
    """The winner sends plain requests to https."""
    redirect_code: int = 308
    """The status of redirects to https and between twins."""


Layer = Literal["tcp", "udp"]


class PortView(Struct, frozen=True):
    """A TCP or UDP service: a port of its own, and where it leads."""

    protocol: Layer
    port: int
    service: str
    """`namespace/service:port`."""
    origin: str
    """Who asks for the port: a flag, or an entry of a ConfigMap."""
    endpoints: tuple[str, ...]
    """`address:port` of each."""
    known: bool
    """False while nothing is known about the Service."""
    accept_proxy: bool
    """Clients have to send a PROXY header."""
    send_proxy: int
    """The version of the PROXY header that endpoints are sent; 0 for none."""
    idle_timeout_ms: int
    """Milliseconds without a byte after which a stream ends."""
    listening: tuple[str, ...] = ()
    """Where a gateway listens. Empty while the port cannot be had, and if this was not asked of a gateway."""
    problem: str | None = None
    """Why the port cannot be had."""
    dns: str | None = None
    """The name that the endpoints are resolved from, if this was not asked of a gateway."""
    untrusted: str | None = None
    """Why all of its connections are closed: it takes PROXY headers, and from nobody."""

    @property
    def takes_connections(self) -> bool:
        """Whether something comes of connecting to it."""
        return bool(self.endpoints or self.dns) and self.untrusted is None and self.problem is None


class _Streams(Struct, frozen=True):
    ports: list[PortView]


_match: msgspec.json.Decoder[Match | None] = msgspec.json.Decoder(Match | None)
_explanation = msgspec.json.Decoder(Explanation)
_streams = msgspec.json.Decoder(_Streams)
_routes = msgspec.json.Decoder(list[RouteView])


def decode_match(answer: bytes) -> Match | None:
    """A route or `null`."""
    return _match.decode(answer)


def decode_explanation(answer: bytes) -> Explanation:
    """An explanation."""
    return _explanation.decode(answer)


def decode_routes(answer: bytes) -> list[RouteView]:
    """A list of routes."""
    return _routes.decode(answer)


def decode_ports(answer: bytes) -> list[PortView]:
    """The TCP and UDP services of `/streams`."""
    return _streams.decode(answer).ports
