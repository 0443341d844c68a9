"""Redirects: to https, to a fixed place, from the root to an application, between www and bare names."""

from __future__ import annotations

import pytest

from tests.support.certificates import Authority
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

HOST = "shop.example.com"


def test_a_host_with_a_certificate_redirects_plain_requests(
    serve: Serve, backends: Backends, authority: Authority
) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
    )
    answer = gateway.get("/a/b?c=d", host=f"{HOST}:8080")
    assert (answer.status, answer.header("location")) == (308, f"https://{HOST}/a/b?c=d")
    assert gateway.get_tls(authority.trusting(), "/a", host=HOST).text == "web"


@pytest.mark.parametrize(("compat", "target"), [("strict", "/a/"), ("ingress-nginx", "/a")])
def test_a_trailing_slash_goes_only_where_ingress_nginx_is_followed(
    serve: Serve, backends: Backends, compat: str, target: str
) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=HOST), annotations={"force-ssl-redirect": "true"}),
        compat=compat,
    )
    assert gateway.get("/a/", host=HOST).header("location") == f"https://{HOST}{target}"


@pytest.mark.parametrize(
    ("annotations", "status"),
    [({}, 200), ({"ssl-redirect": "true"}, 200), ({"force-ssl-redirect": "true"}, 308)],
    ids=["default", "ssl-redirect", "force-ssl-redirect"],
)
def test_a_host_without_a_certificate_redirects_only_by_force(
    serve: Serve, backends: Backends, annotations: dict[str, str], status: int
) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web", host=HOST), annotations=annotations))
    assert gateway.get("/", host=HOST).status == status


def test_ssl_redirect_can_be_switched_off(serve: Serve, backends: Backends, authority: Authority) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}, annotations={"ssl-redirect": "false"}),
    )
    assert gateway.get("/", host=HOST).status == 200


def test_the_acme_challenge_is_never_redirected(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=HOST), annotations={"force-ssl-redirect": "true"}),
    )
    assert gateway.get("/.well-known/acme-challenge/token", host=HOST).status == 200


@pytest.mark.parametrize(
    ("annotations", "status", "location"),
    [
        ({"permanent-redirect": "https://new.example.com/x"}, 301, "https://new.example.com/x"),
        (
            {"permanent-redirect": "https://new.example.com", "permanent-redirect-code": "308"},
            308,
            "https://new.example.com",
        ),
        ({"temporal-redirect": "https://tmp.example.com"}, 302, "https://tmp.example.com"),
        (
            {"temporal-redirect": "https://tmp.example.com", "temporal-redirect-code": "307"},
            307,
            "https://tmp.example.com",
        ),
        (
            {"temporal-redirect": "https://tmp.example.com", "permanent-redirect": "https://new.example.com"},
            302,
            "https://tmp.example.com",
        ),
        ({"permanent-redirect": "https://a.example", "permanent-redirect-code": "404"}, 301, "https://a.example"),
        ({"temporal-redirect": "https://a.example", "temporal-redirect-code": "308"}, 302, "https://a.example"),
    ],
)
def test_a_fixed_redirect(
    serve: Serve, backends: Backends, annotations: dict[str, str], status: int, location: str
) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web"), annotations=annotations))
    answer = gateway.get("/any/thing?x")
    assert (answer.status, answer.header("location")) == (status, location)
    assert backend.requests == []


def test_app_root_is_for_the_root_alone(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")), ingress("web", Rule("web", host=HOST), annotations={"app-root": "/app"})
    )
    answer = gateway.get("/", host=f"{HOST}:8080")
    assert (answer.status, answer.header("location")) == (302, f"http://{HOST}:8080/app")
    assert gateway.get("/x", host=HOST).status == 200


@pytest.mark.parametrize(("ours", "twin"), [("example.com", "www.example.com"), ("www.example.com", "example.com")])
def test_the_www_twin_redirects(serve: Serve, backends: Backends, ours: str, twin: str) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=ours), annotations={"from-to-www-redirect": "true"}),
    )
    answer = gateway.get("/a?b=c", host=twin)
    assert (answer.status, answer.header("location")) == (308, f"http://{ours}/a?b=c")
    assert gateway.get("/a", host=ours).text == "web"


def test_the_www_twin_is_left_alone_when_it_has_rules_of_its_own(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        service("www", backends("www")),
        ingress("web", Rule("web", host="example.com"), annotations={"from-to-www-redirect": "true"}),
        ingress("www", Rule("www", host="www.example.com")),
    )
    assert gateway.get("/", host="www.example.com").text == "www"


def test_no_line_break_gets_into_a_location(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=HOST), annotations={"force-ssl-redirect": "true"}),
    )
    answer = gateway.get("/a%0d%0aSet-Cookie:x", host=HOST)
    assert b"\r\nSet-Cookie" not in answer.raw_head
    assert answer.status in (308, 400)
