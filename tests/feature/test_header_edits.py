"""Typed header modification, on the way in and on the way out."""

from __future__ import annotations

from tests.support.backend import Exchange
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import OURS, Rule, ingress, service


def test_request_headers_are_removed_set_and_added(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress(
            "web",
            Rule("web"),
            annotations={
                OURS + "request-headers-remove": "X-Secret",
                OURS + "request-headers-set": "X-Team: shop",
                OURS + "request-headers-add": "X-Tag: two",
            },
        ),
    )
    gateway.get("/", headers=[("x-secret", "s"), ("X-Team", "forged"), ("X-Tag", "one"), ("X-Keep", "kept")])
    request = backend.last
    assert request.all("x-secret") == []
    assert request.all("x-team") == ["shop"]
    assert request.all("x-tag") == ["one", "two"]
    assert request.all("x-keep") == ["kept"]


def test_response_headers_are_removed_set_and_added(serve: Serve, backends: Backends) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.answer(headers=[("X-Powered-By", "x"), ("Cache-Control", "public"), ("Vary", "Accept")])

    gateway = serve(
        service("web", backends("web", answer)),
        ingress(
            "web",
            Rule("web"),
            annotations={
                OURS + "response-headers-remove": "X-Powered-By",
                OURS + "response-headers-set": "Cache-Control: no-store",
                OURS + "response-headers-add": "Vary: Origin",
            },
        ),
    )
    response = gateway.get("/")
    assert response.all("x-powered-by") == []
    assert response.all("cache-control") == ["no-store"]
    assert response.all("vary") == ["Accept", "Origin"]


def test_a_header_that_frames_the_message_cannot_be_edited(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web"), annotations={OURS + "request-headers-set": "Content-Length: 5"}),
    )
    assert [problem["object"]["name"] for problem in gateway.problems()] == ["web"]


def test_an_unknown_or_misspelt_key_is_a_problem(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web"), annotations={"rewrite-targt": "/"}))
    problems = [problem for problem in gateway.problems() if "rewrite-targt" in problem["message"]]
    assert len(problems) == 1
    assert "rewrite-target" in problems[0]["message"].replace("rewrite-targt", "")
    assert gateway.get("/").status == 200
