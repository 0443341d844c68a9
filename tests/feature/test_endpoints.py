"""Where endpoints come from, and what happens when there are none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.backend import Backend
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Manifest, Rule, endpoint_slice, ingress, plain_service, service


def endpoint(address: str = "127.0.0.1", **conditions: bool) -> Manifest:
    return {"addresses": [address], "conditions": conditions}


def test_round_robin_is_true(serve: Serve, backends: Backends) -> None:
    names = ("a", "b", "c", "d")
    gateway = serve(service("web", *(backends(name) for name in names)), ingress("web", Rule("web")), workers=1)
    answers = Counter(gateway.get("/").text for _ in range(4 * 5))
    assert answers == dict.fromkeys(names, 5)


@pytest.mark.parametrize("port", [80, "http"])
@pytest.mark.parametrize("target_port", [None, "web", "number"])
def test_slices_with_named_and_numbered_ports(
    serve: Serve, backends: Backends, port: int | str, target_port: str | None
) -> None:
    backend = backends("web")
    spec: dict[str, Any] = {"name": "http", "port": 80}
    if target_port is not None:
        spec["targetPort"] = backend.address[1] if target_port == "number" else target_port
    gateway = serve(
        plain_service("web", spec),
        endpoint_slice("web", endpoint(ready=True), port=backend.address[1], port_name="http"),
        ingress("web", Rule("web", port=port)),
    )
    assert gateway.get("/").text == "web"


def test_the_old_endpoints_object_serves_too(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        plain_service("web", {"port": 80}),
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "web"},
            "subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": backend.address[1]}]}],
        },
        ingress("web", Rule("web")),
    )
    assert gateway.get("/").text == "web"


def test_an_external_name_is_resolved(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        plain_service("web", {"port": backend.address[1]}, type="ExternalName", externalName="127.0.0.1"),
        ingress("web", Rule("web", port=backend.address[1])),
    )
    eventually(lambda: gateway.get("/").status == 200)


def test_only_ready_endpoints_are_used_and_a_missing_condition_means_ready(serve: Serve, backends: Backends) -> None:
    ready, unready = backends("ready"), backends("unready")
    gateway = serve(
        plain_service("web", {"port": 80}),
        endpoint_slice("web", endpoint(), port=ready.address[1], suffix="1"),
        endpoint_slice("web", endpoint(ready=False), port=unready.address[1], suffix="2"),
        ingress("web", Rule("web")),
    )
    assert {gateway.get("/").text for _ in range(6)} == {"ready"}


def test_when_all_terminate_those_still_serving_are_used(serve: Serve, backends: Backends) -> None:
    serving, gone = backends("serving"), backends("gone")
    gateway = serve(
        plain_service("web", {"port": 80}),
        endpoint_slice(
            "web", endpoint(ready=False, serving=True, terminating=True), port=serving.address[1], suffix="1"
        ),
        endpoint_slice("web", endpoint(ready=False, serving=False, terminating=True), port=gone.address[1], suffix="2"),
        ingress("web", Rule("web")),
    )
    assert {gateway.get("/").text for _ in range(6)} == {"serving"}


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param([service("web")], id="no endpoints"),
        pytest.param([], id="no Service"),
        pytest.param(
            [plain_service("web", {"port": 80}), endpoint_slice("web", endpoint(ready=False), port=1)], id="none ready"
        ),
    ],
)
def test_a_service_without_ready_endpoints_answers_503(serve: Serve, objects: list[Manifest]) -> None:
    gateway = serve(*objects, ingress("web", Rule("web")))
    answer = gateway.get("/", headers=[("Accept", "application/json")])
    assert answer.status == 503
    assert answer.json()["status"] == 503


def test_a_resource_backend_answers_503_with_a_problem(serve: Serve) -> None:
    broken = ingress("web", Rule("web", "/x"))
    backend = {"resource": {"apiGroup": "storage.example.com", "kind": "Bucket", "name": "assets"}}
    broken["spec"]["rules"][0]["http"]["paths"][0]["backend"] = backend
    gateway = serve(broken)
    assert gateway.get("/x").status == 503
    assert [problem["object"]["name"] for problem in gateway.problems()] == ["web"]


def test_a_service_that_appears_later_is_picked_up(serve: Serve, backends: Backends) -> None:
    gateway = serve(ingress("web", Rule("web")))
    assert gateway.get("/").status == 503
    gateway.put("web", service("web", backends("web")))
    eventually(lambda: gateway.get("/").status == 200)


def test_a_retry_goes_to_another_endpoint_when_connecting_fails(serve: Serve, backends: Backends) -> None:
    alive, dead = backends("alive"), Backend("dead")
    gateway = serve(service("web", alive, dead), ingress("web", Rule("web")), workers=1)
    dead.close()
    assert [gateway.get("/", method="POST", body=b"once").text for _ in range(6)] == ["alive"] * 6
    assert len(alive.requests) == 6


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_however_many_endpoints_refuse_a_request_it_reaches_one_that_listens(
    serve: Serve, backends: Backends, method: str
) -> None:
    """As when a Deployment is scaled from twelve pods to one, and word of it is on its way."""
    alive, gone = backends("alive"), [Backend("gone") for _ in range(11)]
    gateway = serve(service("web", alive, *gone), ingress("web", Rule("web")), workers=1)
    for each in gone:
        each.close()
    assert [gateway.get("/", method=method, body=b"once").text for _ in range(24)] == ["alive"] * 24
    assert len(alive.requests) == 24


def test_an_endpoint_that_is_gone_lets_its_idle_connections_go(serve: Serve, backends: Backends) -> None:
    backend, other = backends("web"), backends("other")
    gateway = serve(ingress("web", Rule("web")))
    gateway.put("web", service("web", backend))
    eventually(lambda: gateway.get("/").text == "web")
    assert backend.open_connections == 1
    gateway.put("web", service("web", other))
    eventually(lambda: gateway.get("/").text == "other")
    eventually(lambda: backend.open_connections == 0)
