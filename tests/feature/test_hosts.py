"""Hosts: precise, one-label wildcard, none; what the Host header may look like."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


@pytest.mark.parametrize(
    ("host", "answered_by"),
    [
        ("shop.example.com", "precise"),
        ("SHOP.Example.COM", "precise"),
        ("shop.example.com:8080", "precise"),
        ("other.example.com", "wildcard"),
        ("a.b.example.com", "any"),
        ("example.com", "any"),
        ("example.org", "any"),
        ("127.0.0.1", "any"),
        ("[::1]:8080", "any"),
    ],
)
def test_precise_goes_before_wildcard_before_none(
    serve: Serve, backends: Backends, host: str, answered_by: str
) -> None:
    gateway = serve(
        *(service(name, backends(name)) for name in ("precise", "wildcard", "any")),
        ingress("precise", Rule("precise", host="shop.example.com")),
        ingress("wildcard", Rule("wildcard", host="*.example.com")),
        ingress("any", Rule("any")),
    )
    assert gateway.get("/", host=host).text == answered_by


def test_a_host_without_a_fitting_path_passes_the_request_on(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        *(service(name, backends(name)) for name in ("precise", "wildcard", "any")),
        ingress("precise", Rule("precise", "/a", host="shop.example.com")),
        ingress("wildcard", Rule("wildcard", "/b", host="*.example.com")),
        ingress("any", Rule("any", "/c")),
    )
    answers = [gateway.get(path, host="shop.example.com") for path in ("/a", "/b", "/c", "/d")]
    assert [(answer.status, answer.text) for answer in answers[:3]] == [
        (200, "precise"),
        (200, "wildcard"),
        (200, "any"),
    ]
    assert answers[3].status == 404


def test_under_compat_the_most_precise_host_owns_the_request(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        *(service(name, backends(name)) for name in ("precise", "any")),
        ingress("precise", Rule("precise", "/a", host="shop.example.com")),
        ingress("any", Rule("any", "/c")),
        compat="ingress-nginx",
    )
    assert gateway.get("/c", host="shop.example.com").status == 404
    assert gateway.get("/c", host="elsewhere.example.com").text == "any"


def test_an_alias_serves_until_a_real_rule_has_the_name(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        service("real", backends("real")),
        ingress(
            "web",
            Rule("web", host="shop.example.com"),
            annotations={"server-alias": "www.example.com, old.example.com"},
        ),
        ingress("real", Rule("real", host="old.example.com")),
    )
    assert gateway.get("/", host="www.example.com").text == "web"
    assert gateway.get("/", host="old.example.com").text == "real"


def test_an_invalid_host_is_a_problem_and_harms_nobody(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("bad", Rule("web", host="under_score.example.com")),
        ingress("good", Rule("web", host="good.example.com")),
    )
    assert gateway.get("/", host="good.example.com").status == 200
    assert any("bad" in str(problem["object"]) for problem in gateway.problems())
