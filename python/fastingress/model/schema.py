"""The values of the desired state: the mirror of `rust/route/src/schema.rs`, same names, same fields, same order.

What each field means is written there and not repeated here. `tests/fixtures/golden/` is read by the tests of both
sides, so the two cannot drift apart. Fields that have their default value are left out of the encoding.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

VERSION = 1
"""The version of this schema; the core refuses a change set of another version."""

Kind: TypeAlias = Literal[
    "settings", "endpoints", "upstream", "certificate", "fragment", "authority", "stream", "tickets"
]
Key: TypeAlias = tuple[str, str]
"""Kind and name of an entry of the desired state, as in `("endpoints", "default/shop:80")`."""

PathKind: TypeAlias = Literal["exact", "prefix", "raw_prefix", "regex"]
Balance: TypeAlias = Literal["round_robin", "least_requests"]
Protocol: TypeAlias = Literal["http", "https", "h2c", "h2", "auto"]
VerifyClient: TypeAlias = Literal["on", "optional", "optional_no_ca"]
Compat: TypeAlias = Literal["strict", "ingress-nginx"]
Header: TypeAlias = tuple[str, str]

_ALWAYS_ONE_OBJECT: tuple[object, ...] = (None, False, True, "", b"", ())


@cache
def _shared_defaults(cls: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """The fields of `cls` whose default may exist twice in memory, with that default."""
    defaults = cls.__struct_defaults__
    named = zip(cls.__struct_fields__[-len(defaults) :], defaults, strict=True) if defaults else ()
    return tuple((name, default) for name, default in named if not any(default is one for one in _ALWAYS_ONE_OBJECT))


class _Canonical(Struct, frozen=True, gc=False):
    """A value whose bytes depend on its content alone.

    msgspec leaves a field out when it *is* its default, not when it equals it. Fields whose default is, say, a large
    number are therefore replaced by the default itself when they equal it.
    """

    def __post_init__(self) -> None:
        for name, default in _shared_defaults(type(self)):
            value = getattr(self, name)
            if value is not default and value == default:
                msgspec.structs.force_setattr(self, name, default)


class IngressRef(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Names an Ingress."""

    namespace: str
    name: str
    uid: str


class Target(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Where a route sends its requests."""

    service: str = ""
    endpoints: str = ""
    upstream: str = ""


class Route(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One path rule."""

    path: str
    kind: PathKind
    rule: tuple[int, int]
    target: Target


class Redirect(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A redirect to a fixed place."""

    location: str
    code: int


class HeaderEdits(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Edits of a head: removals, then sets, then additions. Names in lower case."""

    remove: tuple[str, ...] = ()
    set: tuple[Header, ...] = ()
    add: tuple[Header, ...] = ()


_NO_EDITS = HeaderEdits()


class Policy(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The policies of one Ingress; what is left out comes from the settings of its scope."""

    ssl_redirect: bool | None = None
    force_ssl_redirect: bool | None = None
    redirect: Redirect | None = None
    redirect_host: str | None = None
    app_root: str | None = None
    rewrite: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    body_limit: int | None = None
    upstream_vhost: str | None = None
    x_forwarded_prefix: str | None = None
    request_headers: HeaderEdits = _NO_EDITS
    response_headers: HeaderEdits = _NO_EDITS
    access_log: bool | None = None
    grpc_web: bool | None = None


_NO_POLICY = Policy()


class ClientAuth(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a client's certificate is to be (`auth-tls-*`)."""

    authority: str
    verify: VerifyClient = "on"
    depth: int = 1
    match_cn: str | None = None
    error_page: str | None = None
    pass_certificate: bool = False


class Fragment(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One Ingress's rules for one host. Its key is `host/uid`."""

    host: str
    ingress: IngressRef
    age: str
    scope: str = "process"
    weak: bool = False
    certificate: str | None = None
    client_auth: ClientAuth | None = None
    passthrough: Target | None = None
    policy: Policy = _NO_POLICY
    regex_host: bool = False
    routes: tuple[Route, ...] = ()
    default_backend: Target | None = None


class DnsTarget(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A name whose addresses are the endpoints."""

    name: str
    port: int
    allow_local: bool = False


class EndpointSet(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The addresses behind one Service port. Its key is `namespace/service:port`, port as the Ingress wrote it."""

    known: bool = False
    addresses: tuple[str, ...] = ()
    dns: DnsTarget | None = None
    protocol: Protocol | None = None


class UpstreamTls(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """How TLS is spoken to an endpoint."""

    name: str | None = None
    send_name: bool = False
    verify: bool = False
    verify_depth: int = 1
    protocols: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    authority: str | None = None
    certificate: str | None = None


_PLAIN_TLS = UpstreamTls()


class Upstream(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """How to speak to the endpoints of a backend. Its key is a hash of its content."""

    balance: Balance = "round_robin"
    connect_timeout_ms: int | None = None
    read_timeout_ms: int | None = None
    send_timeout_ms: int | None = None
    protocol: Protocol | None = None
    tls: UpstreamTls = _PLAIN_TLS


class Certificate(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A certificate chain and its key, PEM as in the Secret. Never printed. Its key is `namespace/secret`."""

    chain: bytes
    key: bytes
    ocsp: bytes = b""

    def __repr__(self) -> str:
        return f"Certificate({len(self.chain)} bytes, key withheld)"


class Authority(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Whom to trust. Its key is `namespace/secret`."""

    roots: bytes
    revocations: bytes = b""


class Stream(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A TCP or UDP service on a port of its own. Its key is `tcp/PORT` or `udp/PORT`."""

    target: Target
    accept_proxy: bool = False
    send_proxy: int = 0
    idle_timeout_ms: int = 600_000
    origin: str = ""


class Tickets(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Keys of session tickets, newest first. Never printed. Its key is `process`."""

    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Tickets({len(self.keys)} keys, withheld)"


class Settings(_Canonical, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a route inherits unless its policy says otherwise. Its key is a scope: `process` or `class/NAME`."""

    compat: Compat = "strict"
    default_backend: Target | None = None
    default_certificate: str | None = None
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    redirect_code: int = 308
    no_tls_redirect: tuple[str, ...] = ("/.well-known/acme-challenge",)
    body_limit: int = 1 << 20
    connect_timeout_ms: int = 5_000
    read_timeout_ms: int = 60_000
    send_timeout_ms: int = 60_000
    tries: int = 3
    trusted_proxies: tuple[str, ...] = ()
    underscores_in_headers: bool = False
    merge_slashes: bool = True
    access_log: bool = True
    hsts: bool = True
    hsts_max_age: int = 31_536_000
    hsts_include_subdomains: bool = True
    hsts_preload: bool = False


Entry: TypeAlias = Settings | EndpointSet | Upstream | Certificate | Fragment | Authority | Stream | Tickets
"""A value of the desired state."""

STRUCT_OF: dict[str, type[Entry]] = {
    "settings": Settings,
    "endpoints": EndpointSet,
    "upstream": Upstream,
    "certificate": Certificate,
    "fragment": Fragment,
    "authority": Authority,
    "stream": Stream,
    "tickets": Tickets,
}
KIND_OF: dict[type[Any], str] = {struct: kind for kind, struct in STRUCT_OF.items()}


class ChangeSet(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A set of changes to the desired state, or all of it. Values travel as bytes, see `change_set`."""

    version: int
    full: bool = False
    upserts: tuple[tuple[Kind, str, bytes], ...] = ()
    removals: tuple[tuple[Kind, str], ...] = ()
