"""The golden change sets, and the script that writes them: `python tests/unit/model/golden.py`.

Each NAME gives two files in `tests/fixtures/golden/`, read by the tests of Rust and of Python alike:

- `NAME.msgpack`: a change set as it crosses the boundary;
- `NAME.json`: the same, with each upsert as `[kind, name, value]` where the value is spelt out with every field,
  defaults included, and bytes are text. So a default that differs between the two sides fails a test.

`report.msgpack` and `report.json` are an answer of the core, the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fastingress import model
from fastingress.model import (
    Authority,
    Certificate,
    ClientAuth,
    DnsTarget,
    EndpointSet,
    Entry,
    Fragment,
    HeaderEdits,
    IngressRef,
    Key,
    Policy,
    Redirect,
    Report,
    ReportedProblem,
    Route,
    Settings,
    Stream,
    Target,
    Tickets,
    Upstream,
    UpstreamTls,
)

DIRECTORY = Path(__file__).resolve().parents[2] / "fixtures" / "golden"

_SHOP = IngressRef(namespace="default", name="shop", uid="0b0e8f3c-5d0e-4a53-9a3e-2f6f5a4f0001")
_BLOG = IngressRef(namespace="blog", name="höhe", uid="manifest/Ingress/blog/höhe")

_EVERY_FRAGMENT_FIELD = Fragment(
    host="shop.example.com",
    ingress=_SHOP,
    age="02026-01-02T03:04:05Z/default/shop",
    scope="class/edge",
    weak=True,
    certificate="default/shop-tls",
    client_auth=ClientAuth(
        authority="default/clients",
        verify="optional_no_ca",
        depth=3,
        match_cn="^a+$",
        error_page="https://errors.example.com/",
        pass_certificate=True,
    ),
    passthrough=Target(service="inner", endpoints="default/inner:443"),
    policy=Policy(
        ssl_redirect=False,
        force_ssl_redirect=True,
        redirect=Redirect(location="https://elsewhere.example.com/x?y=1", code=307),
        redirect_host="www.shop.example.com",
        app_root="/app",
        rewrite="/base/$1",
        allow=("10.0.0.0/8", "2001:db8::/32"),
        deny=("10.1.2.3/32",),
        body_limit=8 << 30,
        upstream_vhost="inner.example.com",
        x_forwarded_prefix="/prefix",
        request_headers=HeaderEdits(
            remove=("x-secret", "x-debug"), set=(("x-env", "prod"), ("x-empty", "")), add=(("x-via", "edge"),)
        ),
        response_headers=HeaderEdits(
            remove=("server",), set=(("x-frame-options", "DENY"),), add=(("set-cookie", "a=1"), ("set-cookie", "b=2"))
        ),
        access_log=False,
        grpc_web=True,
    ),
    regex_host=True,
    routes=(
        Route(path="/cart", kind="exact", rule=(0, 0), target=Target("cart", "default/cart:http", "a1b2c3d4")),
        Route(path="/", kind="prefix", rule=(0, 1), target=Target(service="web", endpoints="default/web:80")),
        Route(path="", kind="raw_prefix", rule=(300, 65535), target=Target(service="raw")),
        Route(path="/item/(\\d+)", kind="regex", rule=(1, 2), target=Target()),
    ),
    default_backend=Target(service="fallback", endpoints="default/fallback:8080", upstream="ffff"),
)

_EVERY_SETTING = Settings(
    compat="ingress-nginx",
    default_backend=Target(service="catch-all", endpoints="default/catch-all:80", upstream="0f"),
    default_certificate="default/wildcard",
    ssl_redirect=False,
    force_ssl_redirect=True,
    redirect_code=301,
    no_tls_redirect=("/health", "/.well-known"),
    body_limit=0,
    connect_timeout_ms=1,
    read_timeout_ms=4_294_967_295,
    send_timeout_ms=70_000,
    tries=255,
    trusted_proxies=("192.0.2.0/24", "2001:db8:1::/48"),
    underscores_in_headers=True,
    merge_slashes=False,
    access_log=False,
    hsts=False,
    hsts_max_age=86_400,
    hsts_include_subdomains=False,
    hsts_preload=True,
)

CHANGE_SETS: dict[str, tuple[dict[Key, Entry], list[Key], bool]] = {
    "nothing": ({}, [], False),
    "nothing-at-all": ({}, [], True),
    "defaults-left-out": (
        {
            ("settings", "process"): Settings(),
            ("endpoints", "default/gone:80"): EndpointSet(),
            ("upstream", "d"): Upstream(),
            ("fragment", f"/{_BLOG.uid}"): Fragment(host="", ingress=_BLOG, age="1b.yaml00000000"),
        },
        [],
        True,
    ),
    "every-field": (
        {
            ("settings", "class/edge"): _EVERY_SETTING,
            ("endpoints", "default/cart:http"): EndpointSet(
                known=True,
                addresses=("10.0.0.1:8080", "10.0.0.2:8080", "[2001:db8::1]:8080"),
                protocol="https",
            ),
            ("endpoints", "default/empty:80"): EndpointSet(known=True),
            ("endpoints", "default/outside:443"): EndpointSet(
                known=True, dns=DnsTarget(name="api.example.org", port=443, allow_local=True)
            ),
            ("upstream", "a1b2c3d4"): Upstream(
                balance="least_requests",
                connect_timeout_ms=250,
                read_timeout_ms=3_600_000,
                send_timeout_ms=1,
                protocol="h2",
                tls=UpstreamTls(
                    name="inner.example.com",
                    send_name=True,
                    verify=True,
                    verify_depth=2,
                    protocols=("TLSv1.3",),
                    ciphers=("TLS_AES_128_GCM_SHA256",),
                    authority="default/roots",
                    certificate="default/us",
                ),
            ),
            ("certificate", "default/shop-tls"): Certificate(
                chain=b"-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n",
                key=b"-----BEGIN PRIVATE KEY-----\nnot one either\n-----END PRIVATE KEY-----\n",
                ocsp=b"not an answer",
            ),
            ("authority", "default/clients"): Authority(roots=b"no roots", revocations=b"no lists"),
            ("stream", "tcp/9000"): Stream(
                target=Target(service="db", endpoints="default/db:5432"),
                accept_proxy=True,
                send_proxy=2,
                idle_timeout_ms=1_000,
                origin="--tcp 9000=default/db:5432",
            ),
            ("tickets", "process"): Tickets(keys=(b"k" * 80, b"j" * 48)),
            ("fragment", f"shop.example.com/{_SHOP.uid}"): _EVERY_FRAGMENT_FIELD,
        },
        [("fragment", "old.example.com/u-1"), ("certificate", "default/old-tls"), ("settings", "class/old")],
        False,
    ),
    "removals-of-every-kind": ({}, [(kind, "a/b") for kind in model.STRUCT_OF], False),
}

REPORT = Report(
    generation=7,
    digest="0123456789abcdef0123456789abcdef",
    compiled=model.Compiled(fragments=1, hosts=2, endpoints=3, certificates=4),
    problems=(
        ("host:shop.example.com", (ReportedProblem("ConflictLost", _SHOP, "path /cart is taken by default/older"),)),
        ("certificate:default/shop-tls", (ReportedProblem("InvalidCertificate", None, "no certificate in tls.crt"),)),
        ("host:calm.example.com", ()),
    ),
)


def files() -> Iterable[tuple[str, bytes]]:
    """File name and content of every golden file."""
    for name, (values, removals, full) in CHANGE_SETS.items():
        upserts = {key: model.encode(value) for key, value in values.items()}
        yield f"{name}.msgpack", model.encode_change_set(upserts, removals, full)
        spelt = {
            "version": model.VERSION,
            "full": full,
            "upserts": [[kind, key, _spelt_out(value)] for (kind, key), value in values.items()],
            "removals": removals,
        }
        yield f"{name}.json", _json(spelt)
    yield "report.msgpack", msgspec.msgpack.encode(REPORT)
    yield "report.json", _json(_spelt_out(REPORT))


def _spelt_out(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _spelt_out(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_spelt_out(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


if __name__ == "__main__":
    for file_name, content in files():
        (DIRECTORY / file_name).write_bytes(content)
