"""Allow and deny lists by source address."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


@pytest.mark.parametrize(
    ("annotations", "status"),
    [
        ({"allowlist-source-range": "127.0.0.0/8"}, 200),
        ({"allowlist-source-range": "10.0.0.0/8, 127.0.0.1"}, 200),
        ({"allowlist-source-range": "10.0.0.0/8"}, 403),
        ({"whitelist-source-range": "10.0.0.0/8"}, 403),
        ({"denylist-source-range": "127.0.0.1/32"}, 403),
        ({"denylist-source-range": "10.0.0.0/8"}, 200),
        ({"allowlist-source-range": "127.0.0.0/8", "denylist-source-range": "127.0.0.1"}, 403),
    ],
)
def test_the_client_address_decides(serve: Serve, backends: Backends, annotations: dict[str, str], status: int) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web"), annotations=annotations))
    assert gateway.get("/").status == status
    assert len(backend.requests) == (status == 200)


def test_a_forged_header_does_not_open_it(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web"), annotations={"allowlist-source-range": "10.0.0.0/8"}),
    )
    assert gateway.get("/", headers=[("X-Forwarded-For", "10.0.0.1")]).status == 403


def test_a_trusted_proxy_names_the_client(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web"), annotations={"allowlist-source-range": "10.0.0.0/8"}),
        trusted_proxies=("127.0.0.0/8",),
    )
    assert gateway.get("/", headers=[("X-Forwarded-For", "10.0.0.1")]).status == 200
    assert gateway.get("/", headers=[("X-Forwarded-For", "10.0.0.1, 192.0.2.1")]).status == 403


def test_a_bad_range_is_a_problem_and_opens_nothing(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web"), annotations={"allowlist-source-range": "not-a-network"}),
        ingress("other", Rule("web", "/other")),
    )
    assert gateway.problems()
    assert gateway.get("/").status != 200
    assert gateway.get("/other").status == 200
