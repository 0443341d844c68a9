"""Each annotation: what good values become, and what bad values do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fastingress.model import HeaderEdits, Policy, Redirect, Settings, Upstream
from fastingress.translate.annotations.endpoints import ENDPOINTS
from fastingress.translate.annotations.known import UNSUPPORTED
from fastingress.translate.annotations.reading import read, single
from fastingress.translate.annotations.reference import reference_markdown
from fastingress.translate.annotations.registry import FAMILIES, NAMES
from fastingress.translate.options import Options
from tests.unit.translate.support import World, ingress

OWN, NGINX = "fastingress.io/", "nginx.ingress.kubernetes.io/"
PREFIXES = (OWN, NGINX)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ssl-redirect", "false", {"ssl_redirect": False}),
        ("force-ssl-redirect", "True", {"force_ssl_redirect": True}),
        (
            "permanent-redirect",
            "https://x.example.com/a?b=c",
            {"redirect": Redirect("https://x.example.com/a?b=c", 301)},
        ),
        ("temporal-redirect", "http://x.example.com", {"redirect": Redirect("http://x.example.com", 302)}),
        ("app-root", "/app", {"app_root": "/app"}),
        ("rewrite-target", "/x/$1", {"rewrite": "/x/$1"}),
        ("rewrite-target", "/$1.$2/..a/%2fb?to=/../c", {"rewrite": "/$1.$2/..a/%2fb?to=/../c"}),
        ("rewrite-target", "/" + "$1" * 32, {"rewrite": "/" + "$1" * 32}),
        ("rewrite-target", "/" + "a" * 2_047, {"rewrite": "/" + "a" * 2_047}),
        ("rewrite-target", "https://x.example.com/$1", {"rewrite": "https://x.example.com/$1"}),
        ("allowlist-source-range", "10.1.2.3/8, ::1", {"allow": ("10.0.0.0/8", "::1/128")}),
        ("whitelist-source-range", "192.0.2.1,192.0.2.1", {"allow": ("192.0.2.1/32",)}),
        ("denylist-source-range", "::ffff:192.0.2.0/120", {"deny": ("192.0.2.0/24",)}),
        ("proxy-body-size", "0", {"body_limit": 0}),
        ("proxy-body-size", "512K", {"body_limit": 512 << 10}),
        ("proxy-body-size", "8m", {"body_limit": 8 << 20}),
        ("proxy-body-size", "2g", {"body_limit": 2 << 30}),
        ("proxy-body-size", "1000", {"body_limit": 1000}),
        ("upstream-vhost", "Inner.example.com", {"upstream_vhost": "inner.example.com"}),
        ("upstream-vhost", "inner:8080", {"upstream_vhost": "inner:8080"}),
        ("x-forwarded-prefix", "/p", {"x_forwarded_prefix": "/p"}),
        ("enable-access-log", "false", {"access_log": False}),
    ],
)
def test_a_good_value_fills_a_field_of_the_policy(prefix: str, key: str, value: str, expected: dict[str, Any]) -> None:
    reading = read({prefix + key: value}, PREFIXES)
    assert reading.policy == Policy(**expected)
    assert (reading.findings, reading.closed) == ((), False)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("proxy-connect-timeout", "7", {"connect_timeout_ms": 7_000}),
        ("proxy-read-timeout", "1h 30m", {"read_timeout_ms": 5_400_000}),
        ("proxy-send-timeout", "250ms", {"send_timeout_ms": 250}),
        ("proxy-send-timeout", "1m30", {"send_timeout_ms": 90_000}),
        ("load-balance", "least_requests", {"balance": "least_requests"}),
        ("load-balance", "ROUND_ROBIN", {"balance": "round_robin"}),
    ],
)
def test_a_good_value_fills_a_field_of_the_upstream(key: str, value: str, expected: dict[str, Any]) -> None:
    reading = read({NGINX + key: value}, PREFIXES)
    assert reading.upstream == Upstream(**expected)
    assert reading.findings == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ssl-redirect", "yes"),
        ("force-ssl-redirect", "2"),
        ("permanent-redirect", "/relative"),
        ("permanent-redirect", "https://x.example.com$request_uri"),
        ("permanent-redirect", "https://x.example.com/\r\nSet-Cookie: a=b"),
        ("permanent-redirect", "javascript:alert(1)"),
        ("permanent-redirect-code", "309"),
        ("temporal-redirect-code", "308"),
        ("temporal-redirect", "https://"),
        ("app-root", "app"),
        ("app-root", "/a\nb"),
        ("rewrite-target", "https://$1/"),
        ("rewrite-target", "/a b"),
        ("rewrite-target", "/$uri"),
        ("rewrite-target", "x"),
        ("rewrite-target", "/../admin"),
        ("rewrite-target", "/a/%2E./b"),
        ("rewrite-target", "/a/."),
        ("rewrite-target", "/..$1"),
        ("rewrite-target", "https://x.example.com/a/.."),
        ("rewrite-target", "/a%zz"),
        ("rewrite-target", "/a%2"),
        ("rewrite-target", "/" + "a" * 2_048),
        ("rewrite-target", "/" + "$1" * 33),
        ("use-regex", "maybe"),
        ("proxy-body-size", "10Mi"),
        ("proxy-body-size", "-1"),
        ("proxy-body-size", "99999999999g"),
        ("proxy-read-timeout", "0"),
        ("proxy-read-timeout", "1y"),
        ("proxy-read-timeout", "-5"),
        ("proxy-read-timeout", "99999999999"),
        ("upstream-vhost", "$host"),
        ("upstream-vhost", "a b"),
        ("upstream-vhost", "a:0"),
        ("x-forwarded-prefix", "p"),
        ("server-alias", "~^www"),
        ("server-alias", "a..b"),
        ("server-alias", "*.*.example.com"),
        ("from-to-www-redirect", "on"),
        ("enable-access-log", "off"),
        ("load-balance", "random"),
        ("response-headers-set", "no colon"),
        ("response-headers-add", "Transfer-Encoding: chunked"),
        ("response-headers-add", "X-A: 1\n" * 65),
        ("response-headers-set", "".join(f"X-{number}: 1\n" for number in range(65))),
        ("response-headers-remove", ",".join(f"x-{number}" for number in range(65))),
        ("response-headers-remove", ","),
        ("upstream-vhost", "a:٩"),
        ("upstream-vhost", "a:99999"),
        ("permanent-redirect-code", "٣٠١"),
        ("proxy-body-size", "٩m"),
        ("proxy-read-timeout", "٩"),
        ("response-headers-remove", "Connection"),
    ],
)
def test_a_bad_value_is_one_problem_and_falls_back_to_the_default(key: str, value: str) -> None:
    reading = read({NGINX + key: value}, PREFIXES)
    assert (reading.policy, reading.upstream, reading.closed) == (Policy(), Upstream(), False)
    (finding,) = reading.findings
    assert (finding.code, finding.severity) == ("InvalidAnnotation", "error")
    assert NGINX + key in finding.message
    assert repr(value)[1:10] in finding.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowlist-source-range", "10.0.0.0/8, 10.0.0.0/33"),
        ("whitelist-source-range", "office"),
        ("denylist-source-range", "10.0.0"),
        ("whitelist-source-range", ",,"),
        ("allowlist-source-range", " , \n,"),
        ("denylist-source-range", ","),
        ("request-headers-set", "X-A: 1\nx-a: 2"),
        ("request-headers-set", "Host: x"),
        ("request-headers-add", "X A: 1"),
        ("request-headers-add", "Content-Length: 1"),
        ("request-headers-remove", "X-Secret, Upgrade"),
        ("request-headers-set", "X-A: a\x00b"),
        ("request-headers-set", f"X-A: {'a' * 8193}"),
    ],
)
def test_a_bad_value_of_a_key_that_guards_something_closes_the_routes(key: str, value: str) -> None:
    reading = read({OWN + key: value}, PREFIXES)
    assert reading.closed
    assert [finding.code for finding in reading.findings] == ["InvalidAnnotation"]
    world = World()
    world.put(ingress({key: value}))
    (route,) = world.fragment("shop.example.com").routes
    assert (route.target.service, route.target.endpoints) == ("default/web:80", "")
    assert world.fragment("shop.example.com").policy == Policy()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("127.0.0.1:٩", "has no port: write it as"),
        ("127.0.0.1", "has no port: write it as"),
        ("127.0.0.1:99999", "is not in 1 to 65535"),
        ("127.0.0.1:0", "is not in 1 to 65535"),
        ("127.0.0.1:" + "9" * 5_000, "is not in 1 to 65535"),
        ("a:1,b:2", "must be the only endpoint"),
        ("127.0.0.1:1, b:2", "must be the only endpoint"),
        (" , ", "names no endpoint"),
    ],
)
def test_endpoints_by_hand_that_are_none_say_which_annotation_and_what(value: str, reason: str) -> None:
    parsed, (finding,) = single(ENDPOINTS, {NGINX + "endpoints": value}, PREFIXES)
    assert (parsed, finding.code) == (None, "InvalidAnnotation")
    assert finding.message.startswith(f"annotation {NGINX}endpoints: '{value[:80]}")
    assert reason in finding.message


def test_header_lines_up_to_the_bound_are_read() -> None:
    reading = read({OWN + "response-headers-add": "X-A: 1\n" * 64}, PREFIXES)
    assert len(reading.policy.response_headers.add) == 64


def test_header_edits_keep_commas_and_order() -> None:
    reading = read(
        {
            OWN + "request-headers-set": "X-Env: prod\nX-Empty:\n",
            OWN + "request-headers-remove": "X-Secret, X-Debug\nX-Secret",
            OWN + "response-headers-add": "Set-Cookie: a=1, b\r\nSet-Cookie: c=2: 3\n\n",
            OWN + "response-headers-remove": "Server",
        },
        PREFIXES,
    )
    assert reading.policy.request_headers == HeaderEdits(
        remove=("x-secret", "x-debug"), set=(("x-env", "prod"), ("x-empty", ""))
    )
    assert reading.policy.response_headers == HeaderEdits(
        remove=("server",), add=(("set-cookie", "a=1, b"), ("set-cookie", "c=2: 3"))
    )


def test_temporal_redirect_wins_over_permanent_and_brings_its_own_code() -> None:
    both = {NGINX + "permanent-redirect": "https://p.example.com", NGINX + "permanent-redirect-code": "308"}
    assert read(both, PREFIXES).policy.redirect == Redirect("https://p.example.com", 308)
    both |= {NGINX + "temporal-redirect": "https://t.example.com", NGINX + "temporal-redirect-code": "307"}
    assert read(both, PREFIXES).policy.redirect == Redirect("https://t.example.com", 307)


def test_a_bad_code_leaves_the_redirect_with_its_default_code() -> None:
    reading = read(
        {NGINX + "permanent-redirect": "https://p.example.com", NGINX + "permanent-redirect-code": "200"}, PREFIXES
    )
    assert reading.policy.redirect == Redirect("https://p.example.com", 301)


def test_ewma_is_taken_as_least_requests_with_a_note() -> None:
    reading = read({NGINX + "load-balance": "ewma"}, PREFIXES)
    assert reading.upstream == Upstream(balance="least_requests")
    assert [(finding.code, finding.severity) for finding in reading.findings] == [("ApproximatedAnnotation", "warning")]


def test_our_prefix_wins_and_the_other_is_a_problem() -> None:
    reading = read({NGINX + "proxy-body-size": "1m", OWN + "proxy-body-size": "2m"}, PREFIXES)
    assert reading.policy.body_limit == 2 << 20
    assert [finding.code for finding in reading.findings] == ["DuplicateAnnotation"]


def test_the_newer_name_of_a_key_wins_over_its_alias() -> None:
    both = {NGINX + "whitelist-source-range": "10.0.0.0/8", NGINX + "allowlist-source-range": "192.0.2.0/24"}
    reading = read(both, PREFIXES)
    assert reading.policy.allow == ("192.0.2.0/24",)
    assert [finding.code for finding in reading.findings] == ["DuplicateAnnotation"]


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_value_counts_as_absent(value: str) -> None:
    assert read({NGINX + "allowlist-source-range": value}, PREFIXES).findings == ()
    assert read({NGINX + "nonsense": value}, PREFIXES).findings == ()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("ssl-redirct", "ssl-redirect"),
        ("whitelist-source-ranges", "whitelist-source-range"),
        ("websocket-services", None),
    ],
)
def test_a_key_that_no_release_read_is_unknown(key: str, hint: str | None) -> None:
    (finding,) = read({NGINX + key: "x"}, PREFIXES).findings
    assert (finding.code, finding.severity) == ("UnknownAnnotation", "warning")
    assert ("did you mean" in finding.message) == (hint is not None)
    assert hint is None or f"did you mean {hint}?" in finding.message


@pytest.mark.parametrize("key", sorted(UNSUPPORTED))
def test_a_known_key_is_unsupported_unless_it_asks_for_what_happens_anyway(key: str) -> None:
    known = UNSUPPORTED[key]
    reading = read({NGINX + key: "something else"}, PREFIXES)
    assert [finding.code for finding in reading.findings] == ["UnsupportedAnnotation"]
    assert (reading.closed, reading.left_out) == (known.effect == "closed", known.effect == "left out")
    for value in known.same_as_without:
        assert read({NGINX + key: value.upper()}, PREFIXES).findings == ()


def test_the_key_of_services_on_an_ingress_is_a_problem() -> None:
    (finding,) = read({OWN + "endpoints": "127.0.0.1:1"}, PREFIXES).findings
    assert finding.code == "MisplacedAnnotation"


def test_annotations_of_others_are_none_of_our_business() -> None:
    assert read({"cert-manager.io/cluster-issuer": "le", "example.com/ssl-redirct": "x"}, PREFIXES).findings == ()


def test_with_ingress_nginx_the_prefix_header_goes_only_beside_a_rewrite() -> None:
    world = World(Options(compat="ingress-nginx"))
    world.put(ingress({"x-forwarded-prefix": "/p"}))
    assert world.fragment("shop.example.com").policy.x_forwarded_prefix is None
    world.put(ingress({"x-forwarded-prefix": "/p", "rewrite-target": "/r"}))
    assert world.fragment("shop.example.com").policy.x_forwarded_prefix == "/p"


# --- the declarations themselves ------------------------------------------------------------------------------------


def test_every_declaration_can_parse_its_own_example_and_names_fields_that_exist() -> None:
    policy, upstream = set(Policy.__struct_fields__), set(Upstream.__struct_fields__)
    for annotation in NAMES.values():
        annotation.type.parse(annotation.type.example)
        assert not annotation.policy or annotation.policy in policy
        assert not annotation.upstream or annotation.upstream in upstream
        assert "\n" not in annotation.doc


def test_every_field_of_the_policy_and_the_upstream_can_be_reached() -> None:
    reached = {annotation.policy or annotation.upstream for annotation in NAMES.values()}
    combined = {"redirect", "redirect_host", "request_headers", "response_headers", "balance", "tls"}
    assert {*Policy.__struct_fields__, *Upstream.__struct_fields__} - reached == combined


def test_documented_defaults_are_those_of_the_settings() -> None:
    settings = Settings()
    for annotation in NAMES.values():
        field = annotation.policy or annotation.upstream
        value = getattr(settings, field, None)
        if isinstance(value, bool | int) and annotation.default:
            assert annotation.type.parse(annotation.default) == value, annotation.name


def test_no_key_is_both_read_and_unsupported() -> None:
    assert not set(NAMES) & set(UNSUPPORTED)


def test_the_reference_page_has_every_key() -> None:
    page = reference_markdown()
    for name in (*NAMES, *UNSUPPORTED):
        assert f"`{name}`" in page
    for family in FAMILIES:
        assert f"## {family.title}\n" in page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 3, (
        "keys, parameters of a class, unsupported keys"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"default_backend_service": "web"},
        {"default_backend_service": "a/b:c:d"},
        {"default_backend_service": "a/b:99999"},
        {"default_backend_service": "a/b:0"},
        {"default_backend_service": "a/b:-"},
        {"default_backend_service": "a/b:" + "9" * 5_000},
        {"default_ssl_certificate": "tls"},
        {"trusted_proxies": ("10.0.0.0/33",)},
        {"annotation_prefixes": ("example.com",)},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"--|prefix"):
        Options(**options)


def test_options_bring_networks_into_their_own_form() -> None:
    assert msgspec.structs.asdict(Options(trusted_proxies=("10.1.2.3/8", "::1")))["trusted_proxies"] == (
        "10.0.0.0/8",
        "::1/128",
    )
