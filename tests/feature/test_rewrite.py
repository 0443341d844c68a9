"""rewrite-target: the matched path is replaced, captures are filled in, the query stays."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


@pytest.mark.parametrize(
    ("path", "target", "sent", "received"),
    [
        ("/api(/|$)(.*)", "/$2", "/api/books/1", "/books/1"),
        ("/api(/|$)(.*)", "/$2", "/api", "/"),
        ("/api(/|$)(.*)", "/$2", "/api/books?page=2", "/books?page=2"),
        ("/something(/|$)(.*)", "/v2/$2", "/something/a/b", "/v2/a/b"),
        ("/(en|de)/(.*)", "/$2/$1", "/DE/x", "/x/DE"),
        ("/api(/v[0-9])?/(.*)", "$1/$2", "/api/books", "/books"),
        ("/api/(.*)", "/$1", "/api/a%20b", "/a%20b"),
        ("/old", "/new", "/old/rest", "/new"),
    ],
)
def test_the_path_is_replaced(
    serve: Serve, backends: Backends, path: str, target: str, sent: str, received: str
) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress(
            "web",
            Rule("web", path, kind="ImplementationSpecific"),
            annotations={"use-regex": "true", "rewrite-target": target},
        ),
    )
    assert gateway.get(sent).status == 200
    assert backend.targets() == [received]


def test_forwarded_prefix_is_told(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress(
            "web",
            Rule("web", "/api(/|$)(.*)", kind="ImplementationSpecific"),
            annotations={"use-regex": "true", "rewrite-target": "/$2", "x-forwarded-prefix": "/api"},
        ),
    )
    gateway.get("/api/x")
    assert backend.last.header("x-forwarded-prefix") == "/api"


def test_upstream_vhost_replaces_the_host(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress("web", Rule("web"), annotations={"upstream-vhost": "inner.example.com"}),
    )
    gateway.get("/", host="outer.example.com")
    assert backend.last.all("host") == ["inner.example.com"]
    assert backend.last.header("x-forwarded-host") == "outer.example.com"
