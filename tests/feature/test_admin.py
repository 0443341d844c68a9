"""The admin port: health, readiness, routes, explanations, problems, metrics."""

from __future__ import annotations

from urllib.parse import quote

from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.gateway import Served
from tests.support.manifests import Rule, ingress, service


def shop(serve: Serve, backends: Backends, **options: object) -> Served:
    return serve(
        service("web", backends("web")),
        service("api", backends("api")),
        ingress("shop", Rule("web", "/"), Rule("api", "/api"), namespace="default"),
        ingress("broken", Rule("web", "no-slash")),
        **options,
    )


def test_health_and_readiness(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    assert gateway.ask("/healthz").status == 200
    assert gateway.ask("/readyz").status == 200
    assert gateway.ask("/nothing").status == 404
    assert gateway.ask("/healthz", method="DELETE").status == 405


def test_routes_are_listed(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    assert {route["path"] for route in gateway.routes()} == {"/", "/api"}
    assert all("shop" in str(route["ingress"]) for route in gateway.routes())


def test_explain_names_the_winner_and_why_the_others_lost(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    said = gateway.ask("/explain?url=" + quote("http://test.example/api/x", safe=""))
    assert said.status == 200
    assert "api" in said.text
    assert gateway.ask("/explain").status == 400


def test_problems_are_listed_and_counted(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    (problem,) = gateway.problems()
    assert (problem["object"]["name"], problem["severity"]) == ("broken", "error")
    assert gateway.metrics().sum("fastingress_problems", severity="error", code=problem["code"]) == 1


def test_requests_are_counted_by_ingress_and_code(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    for path in ("/", "/api", "/api/x"):
        assert gateway.get(path).status == 200
    gateway.until(lambda: _counted(gateway) == 3)
    metrics = gateway.metrics()
    assert metrics.sum("fastingress_requests_total", namespace="default", ingress="shop", code="200") == 3
    assert metrics.sum("fastingress_request_duration_seconds_count", ingress="shop") == 3
    assert metrics.sum("fastingress_request_bytes_total", ingress="shop") > 0
    assert metrics.sum("fastingress_response_bytes_total", ingress="shop") > 0
    assert metrics.sum("fastingress_table_generation") >= 1


def test_tables_that_were_replaced_are_let_go(spawn: Spawn, backends: Backends) -> None:
    """In a process of its own: the number counts every table of a process, those of other tests too."""
    web = service("web", backends("web"))
    process = spawn(web, ingress("shop", Rule("web", "/0")))
    for number in range(1, 8):
        process.put("objects", web, ingress("shop", Rule("web", f"/{number}")))
        process.until(lambda: process.get(f"/{number}").status == 200)  # noqa: B023
    process.until(lambda: process.metrics().sum("fastingress_tables_alive") <= 3)
    assert process.metrics().sum("fastingress_table_generation") >= 8


def _counted(gateway: Served) -> float:
    return gateway.metrics().sum("fastingress_requests_total")


def test_labels_can_be_lowered(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends, metrics_per_ingress=False)
    assert gateway.get("/").status == 200
    gateway.until(lambda: _counted(gateway) == 1)
    assert gateway.metrics().sum("fastingress_requests_total", ingress="shop") == 0


def test_open_connections_are_counted(serve: Serve, backends: Backends) -> None:
    gateway = shop(serve, backends)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        assert client.response().status == 200
        assert gateway.metrics().sum("fastingress_connections_open", listener="http") == 1
    gateway.until(lambda: gateway.metrics().sum("fastingress_connections_open", listener="http") == 0)


def test_the_data_ports_serve_no_admin_page(serve: Serve) -> None:
    gateway = serve()
    for path in ("/metrics", "/routes", "/readyz"):
        assert gateway.get(path).status == 404
