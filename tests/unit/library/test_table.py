"""The route table as a library: which rule takes a URL, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

import fastingress
from fastingress.library.url import Asked, asked
from tests.unit.cli.commands import GOLDEN

SHOP = GOLDEN / "manifests" / "shop.yaml"


@pytest.fixture(scope="module")
def table() -> fastingress.RouteTable:
    return fastingress.RouteTable.from_manifests(SHOP)


def test_a_match_tells_ingress_rule_service_endpoints_and_policy(table: fastingress.RouteTable) -> None:
    match = table.match("https://shop.example.com/anything?query")
    assert match is not None
    assert (match.owner, match.rule, match.place) == ("default/shop", (0, 0), "spec.rules[0].http.paths[0]")
    assert (match.service, match.endpoints) == ("default/front:80", ("127.0.0.1:9001", "127.0.0.1:9002"))
    assert (match.host, match.path, match.path_type) == ("shop.example.com", "/", "Prefix")
    assert match.policy == {"proxy-body-size": str(8 << 20)}
    assert match.known


def test_what_no_rule_takes_is_none(table: fastingress.RouteTable) -> None:
    assert table.match("http://elsewhere.example.org/") is None


def test_what_holds_for_connections_is_told_beside_the_rules() -> None:
    options = {"enable_ssl_passthrough": True, "tcp_services_configmap": "default/tcp"}
    table = fastingress.RouteTable.from_manifests(GOLDEN / "connections", **options)
    passing = table.explain("https://raw.example.com/").passthrough
    assert passing is not None
    assert (passing.service, passing.owner, passing.policy) == ("default/db:443", "default/raw", {})
    demand = table.explain("https://staff.example.com/").client_auth
    assert demand is not None
    assert (demand.authority, demand.verify) == ("default/clients", "on")
    assert [(port.protocol, port.port, port.service, port.known) for port in table.ports] == [
        ("tcp", 9000, "default/db:80", True),
        ("tcp", 9100, "default/none:80", False),
        ("tcp", 9200, "default/db:https", True),
    ]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://shop.example.com/cart", "/cart"),
        ("shop.example.com/cart", "/cart"),
        ("HTTP://SHOP.example.COM:8080/cart#there", "/cart"),
        ("http://shop.example.com/./x/../cart", "/cart"),
        ("http://shop.example.com/%63art", "/cart"),
        ("http://shop.example.com/Cart", "/"),
        ("http://shop.example.com/cart/", "/"),
        ("http://shop.example.com", "/"),
        ("http://shop.example.com/a b", "/"),
    ],
)
def test_urls_as_people_write_them(table: fastingress.RouteTable, url: str, path: str) -> None:
    match = table.match(url)
    assert match is not None
    assert match.path == path


def test_a_host_header_takes_the_place_of_the_host(table: fastingress.RouteTable) -> None:
    match = table.match("http://127.0.0.1:8080/cart", headers={"host": "shop.example.com:8080"})
    assert match is not None
    assert match.service == "default/cart:http"
    assert table.match("http://shop.example.com/", headers=[("Host", "nowhere")]) is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example.com/",
        "http://shop.example.com:port/",
        "http://[::1/",
        "http://shop.example.com/\r\nX: y",
        "http://shop.example.com/%00",
        "http://shop.example.com/%zz",
        "http://shop.example.com/../../etc",
        "http://shop.example.com/\ud800",
    ],
)
def test_what_no_client_could_ask_is_an_error(table: fastingress.RouteTable, url: str) -> None:
    with pytest.raises(fastingress.UrlError):
        table.match(url)
    with pytest.raises(fastingress.UrlError):
        table.explain(url)


def test_a_method_is_a_token(table: fastingress.RouteTable) -> None:
    assert table.match("http://shop.example.com/", method="DELETE") is not None
    with pytest.raises(fastingress.UrlError):
        table.match("http://shop.example.com/", method="GET /")


def test_names_beyond_ascii_are_asked_as_a_browser_would() -> None:
    assert asked("http://bücher.example/süß", {}) == Asked("http", "xn--bcher-kva.example", "/s%C3%BC%C3%9F")


def test_an_explanation_has_the_winner_and_every_loser_with_a_reason(table: fastingress.RouteTable) -> None:
    explanation = table.explain("http://shop.example.com/cart")
    assert explanation.winner == table.match("http://shop.example.com/cart")
    assert [(loser.route.host, loser.route.path) for loser in explanation.losers] == [
        ("shop.example.com", "/"),
        ("*.example.com", "/"),
    ]
    assert all(loser.reason for loser in explanation.losers)
    assert table.explain("http://elsewhere.example.org/").winner is None


def test_routes_and_problems(table: fastingress.RouteTable) -> None:
    assert len(table.routes) == 3
    (problem,) = table.problems
    assert problem.code == "MissingService"
    assert problem.origin is not None
    assert problem.origin.path == str(SHOP)


def test_several_paths_and_options() -> None:
    table = fastingress.RouteTable.from_manifests(
        SHOP, str(GOLDEN / "manifests" / "team-b.yaml"), compat="ingress-nginx"
    )
    assert table.explain("http://shop.example.com/").compat == "ingress-nginx"
    with pytest.raises(fastingress.ConfigError, match="compat"):
        fastingress.RouteTable.from_manifests(SHOP, compat="apache")


def test_keys_are_checked_when_asked() -> None:
    table = fastingress.RouteTable.from_manifests(GOLDEN / "manifests")
    before = {problem.code for problem in table.problems}
    table.verify_certificates()
    assert before <= {problem.code for problem in table.problems}


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(fastingress.ConfigError, match="missing"):
        fastingress.RouteTable.from_manifests(tmp_path / "missing")
