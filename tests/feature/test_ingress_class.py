"""Which Ingresses are ours."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import CONTROLLER, Manifest, Rule, ingress, ingress_class, service

LEGACY = "kubernetes.io/ingress.class"


def classed(name: str | None = None, legacy: str | None = None) -> Manifest:
    annotations = {} if legacy is None else {LEGACY: legacy}
    return ingress("web", Rule("web"), class_name=name, annotations=annotations)


@pytest.mark.parametrize(
    ("manifest", "served"),
    [
        pytest.param(classed("fastingress"), True, id="names ours"),
        pytest.param(classed("nginx"), False, id="names another"),
        pytest.param(classed(), True, id="names none"),
        pytest.param(classed(legacy="fastingress"), True, id="legacy names ours"),
        pytest.param(classed(legacy="nginx"), False, id="legacy names another"),
    ],
)
def test_the_class_decides(serve: Serve, backends: Backends, manifest: Manifest, served: bool) -> None:
    gateway = serve(service("web", backends("web")), manifest)
    assert gateway.get("/").status == (200 if served else 404)


def test_another_name_can_be_ours(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), classed("nginx"), ingress_class="nginx")
    assert gateway.get("/").status == 200


def test_a_class_object_with_our_controller_is_ours(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress_class("edge", CONTROLLER), classed("edge"))
    assert gateway.get("/").status == 200


def test_without_class_is_not_served_when_switched_off(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), classed(), watch_ingress_without_class=False)
    assert gateway.get("/").status == 404


def test_a_default_class_adopts_those_without(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress_class("edge", CONTROLLER, default=True),
        classed(),
        watch_ingress_without_class=False,
    )
    assert gateway.get("/").status == 200
