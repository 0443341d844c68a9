"""What takes a request that no path rule takes."""

from __future__ import annotations

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


def test_a_default_backend_beside_rules_serves_the_hosts_of_those_rules(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        service("rest", backends("rest")),
        ingress("web", Rule("web", "/web", host="shop.example.com"), default="rest"),
    )
    assert gateway.get("/web", host="shop.example.com").text == "web"
    assert gateway.get("/else", host="shop.example.com").text == "rest"
    assert gateway.get("/else", host="other.example.com").status == 404


def test_a_default_backend_alone_takes_whatever_nothing_else_takes_oldest_first(
    serve: Serve, backends: Backends
) -> None:
    gateway = serve(
        *(service(name, backends(name)) for name in ("web", "young", "old")),
        ingress("young", default="young", created="2026-02-01T00:00:00Z"),
        ingress("old", default="old", created="2026-01-01T00:00:00Z"),
        ingress("web", Rule("web", "/web", host="shop.example.com")),
    )
    assert gateway.get("/web", host="shop.example.com").text == "web"
    assert gateway.get("/else", host="shop.example.com").text == "old"
    assert gateway.get("/", host="other.example.com").text == "old"


def test_the_default_backend_of_the_flag_comes_last(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        service("last", backends("last"), namespace="system"),
        ingress("web", Rule("web", "/web")),
        default_backend_service="system/last",
    )
    assert gateway.get("/web").text == "web"
    assert gateway.get("/else").text == "last"


def test_without_any_the_answer_is_404(serve: Serve) -> None:
    gateway = serve()
    page = gateway.get("/")
    assert page.status == 404
    assert (page.header("content-type") or "").startswith("text/")
    as_json = gateway.get("/", headers=[("Accept", "application/json")])
    assert as_json.status == 404
    assert as_json.header("content-type") == "application/json"
    assert as_json.json()["status"] == 404
