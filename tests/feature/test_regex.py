"""Paths as regular expressions: only where they are asked for, unless compatibility says host-wide."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

REGEX = {"use-regex": "true"}


@pytest.mark.parametrize(
    ("target", "taken"), [("/api/v12", True), ("/API/V1/users", True), ("/api/vx", False), ("/x/api/v1", False)]
)
def test_a_regex_is_anchored_at_the_start_and_ignores_case(
    serve: Serve, backends: Backends, target: str, taken: bool
) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", "/api/v[0-9]+", kind="ImplementationSpecific"), annotations=REGEX),
    )
    assert gateway.get(target).status == (200 if taken else 404)


def test_look_around_works(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", "/(?!admin).*", kind="ImplementationSpecific"), annotations=REGEX),
    )
    assert gateway.get("/public").status == 200
    assert gateway.get("/admin").status == 404


@pytest.mark.parametrize(("compat", "taken_by"), [("strict", "root"), ("ingress-nginx", "ba")])
def test_one_regex_turns_the_host_only_under_compat(
    serve: Serve, backends: Backends, compat: str, taken_by: str
) -> None:
    gateway = serve(
        *(service(name, backends(name)) for name in ("root", "ba", "regex")),
        ingress("plain", Rule("root", "/"), Rule("ba", "/ba")),
        ingress("regex", Rule("regex", "/items/[0-9]+", kind="ImplementationSpecific"), annotations=REGEX),
        compat=compat,
    )
    assert gateway.get("/items/12").text == "regex"
    assert gateway.get("/banana").text == taken_by


def test_a_regex_that_does_not_compile_is_one_problem(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("bad", Rule("web", "/(oops", kind="ImplementationSpecific"), annotations=REGEX),
        ingress("good", Rule("web", "/good")),
    )
    problem = gateway.problem("InvalidRegex")
    assert problem["object"]["name"] == "bad"
    assert "(oops" in problem["message"]
    assert gateway.get("/good").status == 200
