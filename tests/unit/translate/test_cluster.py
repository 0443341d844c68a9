"""Translation in a cluster: whose an Ingress is, who yields, zones, ClusterIPs, parameters, and what is needed."""

from __future__ import annotations

from typing import Any

import pytest

from fastingress.objects import Object, decode
from fastingress.store import Delete, Dependency, Upsert
from fastingress.translate import Options
from tests.unit.translate.support import World

OURS = "fastingress.io/ingress-controller"
OTHERS = "example.com/other"
LEGACY = "kubernetes.io/ingress.class"


def cluster(**options: Any) -> World:
    return World(Options(class_by_name=False, assign_default_class=False, **options))


def made(kind: str, name: str, version: str = "v1", **rest: Any) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"} | rest.pop(
        "metadata", {}
    )
    decoded = decode({"apiVersion": version, "kind": kind, "metadata": metadata, **rest}, None)
    assert decoded.object is not None, decoded.problems
    return decoded.object


def ingress(
    name: str = "shop",
    *,
    class_name: str | None = "edge",
    annotations: dict[str, str] | None = None,
    secret: str = "",
    **meta: Any,
) -> Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: dict[str, Any] = {"rules": [rule]}
    if class_name:
        spec["ingressClassName"] = class_name
    if secret:
        spec["tls"] = [{"hosts": ["shop.example.com"], "secretName": secret}]
    return made("Ingress", name, "networking.k8s.io/v1", metadata={"annotations": annotations or {}, **meta}, spec=spec)


def ingress_class(name: str = "edge", controller: str = OURS, **parameters: str) -> Object:
    spec: dict[str, Any] = {"controller": controller}
    if parameters:
        spec["parameters"] = {"kind": "ConfigMap", "scope": "Namespace", "namespace": "edge", **parameters}
    return made("IngressClass", name, "networking.k8s.io/v1", spec=spec)


def service(**spec: Any) -> Object:
    return made("Service", "web", spec={"ports": [{"port": 80, "targetPort": 8080}], **spec})


def slice_of(*endpoints: dict[str, Any]) -> Object:
    return made(
        "EndpointSlice",
        "web-1",
        "discovery.k8s.io/v1",
        metadata={"labels": {"kubernetes.io/service-name": "web"}},
        addressType="IPv4",
        ports=[{"port": 8080}],
        endpoints=list(endpoints),
    )


def at(address: str, *zones: str) -> dict[str, Any]:
    return {"addresses": [address], **({"hints": {"forZones": [{"name": zone} for zone in zones]}} if zones else {})}


def put(world: World, *objects: Object) -> Any:
    return world.apply([Upsert(item) for item in objects])


def is_served(world: World) -> bool:
    return any(kind == "fragment" for kind, _ in world.translator.state())


NO_CLASS: tuple[Object, ...] = ()
OUR_CLASS = (ingress_class(),)
THEIR_CLASS = (ingress_class(controller=OTHERS),)


@pytest.mark.parametrize(
    ("classes", "item", "options", "served"),
    [
        pytest.param(OUR_CLASS, ingress(), {}, True, id="a class of our controller"),
        pytest.param(THEIR_CLASS, ingress(), {}, False, id="a class of another controller"),
        pytest.param(NO_CLASS, ingress(), {"ingress_class": "edge"}, False, id="a class that is not there"),
        pytest.param(
            NO_CLASS, ingress(), {"ingress_class": "edge", "class_by_name": True}, True, id="by name, none there"
        ),
        pytest.param(
            THEIR_CLASS, ingress(), {"ingress_class": "edge", "class_by_name": True}, True, id="by name, of another"
        ),
        pytest.param(OUR_CLASS, ingress(), {"controller_class": OTHERS}, False, id="we are another controller"),
        pytest.param(
            NO_CLASS,
            ingress(class_name=None, annotations={LEGACY: "edge"}),
            {"ingress_class": "edge"},
            True,
            id="the annotation, no class there",
        ),
        pytest.param(
            THEIR_CLASS,
            ingress(class_name=None, annotations={LEGACY: "edge"}),
            {"ingress_class": "edge"},
            False,
            id="the annotation, a class of another",
        ),
        pytest.param(
            OUR_CLASS, ingress(class_name=None, annotations={LEGACY: "edge"}), {}, True, id="the annotation, our class"
        ),
        pytest.param(OUR_CLASS, ingress(class_name=None), {}, False, id="no class"),
        pytest.param(OUR_CLASS, ingress(class_name=None), {"watch_without_class": True}, True, id="no class, wanted"),
        pytest.param(THEIR_CLASS, ingress(), {"all_classes": True}, True, id="every class: of another"),
        pytest.param(NO_CLASS, ingress(class_name=None), {"all_classes": True}, True, id="every class: of none"),
    ],
)
def test_whose_an_ingress_is(classes: tuple[Object, ...], item: Object, options: dict[str, Any], served: bool) -> None:
    world = World(Options(**{"class_by_name": False, "assign_default_class": False, **options}))
    put(world, *classes, item)
    assert is_served(world) is served
    assert world.translator.is_ours("default", "shop") is served


def test_a_class_adopts_and_drops_its_ingresses_as_it_comes_and_goes() -> None:
    world = cluster()
    put(world, ingress())
    assert not is_served(world)
    assert put(world, ingress_class()).turned == {("default", "shop")}
    assert is_served(world)
    delta = world.apply([Delete(ingress_class().key)])
    assert delta.turned == {("default", "shop")}
    assert not is_served(world)


def test_a_default_class_adopts_nothing_in_a_cluster() -> None:
    world = cluster()
    marked = made(
        "IngressClass",
        "edge",
        "networking.k8s.io/v1",
        metadata={"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        spec={"controller": OURS},
    )
    put(world, marked, ingress(class_name=None))
    assert not is_served(world), "the API server names the class when an Ingress is created"


@pytest.mark.parametrize("what", ["the Ingress", "its namespace"])
def test_one_that_is_going_counts_as_younger_than_any_other(what: str) -> None:
    world = cluster()
    put(world, ingress_class(), ingress())
    before = world.entry("fragment", "shop.example.com/uid-shop").age
    if what == "the Ingress":
        put(world, ingress(deletionTimestamp="2026-01-02T00:00:00Z"))
    else:
        put(world, made("Namespace", "default", status={"phase": "Terminating"}))
    after = world.entry("fragment", "shop.example.com/uid-shop").age
    assert before < "1" < "2" < after


ZONED = {"own_node": "node-a"}
NODE = made("Node", "node-a", metadata={"labels": {"topology.kubernetes.io/zone": "a"}})


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        pytest.param([at("10.0.0.1", "a"), at("10.0.0.2", "b")], ["10.0.0.1:8080"], id="those of our zone"),
        pytest.param([at("10.0.0.1", "b")], ["10.0.0.1:8080"], id="all when our zone has none"),
        pytest.param(
            [at("10.0.0.1", "a"), at("10.0.0.2")], ["10.0.0.1:8080", "10.0.0.2:8080"], id="all when one has no hint"
        ),
        pytest.param(
            [{**at("10.0.0.1", "a"), "conditions": {"ready": False}}, at("10.0.0.2", "b")],
            ["10.0.0.2:8080"],
            id="not those of our zone that are not ready",
        ),
        pytest.param([at("10.0.0.1", "b", "a"), at("10.0.0.2", "b")], ["10.0.0.1:8080"], id="meant for two zones"),
    ],
)
def test_endpoints_of_our_zone_come_first(endpoints: list[dict[str, Any]], expected: list[str]) -> None:
    world = cluster(**ZONED)
    put(world, ingress_class(), ingress(), service(), slice_of(*endpoints), NODE)
    assert list(world.entry("endpoints", "default/web:80").addresses) == expected


def test_zones_do_not_matter_unless_asked_for_and_follow_the_node() -> None:
    endpoints = slice_of(at("10.0.0.1", "a"), at("10.0.0.2", "b"))
    plain = cluster()
    put(plain, ingress_class(), ingress(), service(), endpoints, NODE)
    assert len(plain.entry("endpoints", "default/web:80").addresses) == 2
    zoned = cluster(**ZONED)
    put(zoned, ingress_class(), ingress(), service(), endpoints)
    assert len(zoned.entry("endpoints", "default/web:80").addresses) == 2
    put(zoned, NODE)
    assert list(zoned.entry("endpoints", "default/web:80").addresses) == ["10.0.0.1:8080"]


@pytest.mark.parametrize(
    ("by_flag", "by_annotation", "used"),
    [(False, None, False), (True, None, True), (False, "true", True), (True, "false", False)],
)
def test_the_cluster_ip_is_used_when_asked_for(by_flag: bool, by_annotation: str | None, used: bool) -> None:
    world = cluster(service_upstream=by_flag)
    annotations = {"nginx.ingress.kubernetes.io/service-upstream": by_annotation} if by_annotation else {}
    put(
        world,
        ingress_class(),
        ingress(annotations=annotations),
        service(clusterIP="10.96.0.7"),
        slice_of(at("10.0.0.1")),
    )
    key = world.entry("fragment", "shop.example.com/uid-shop").routes[0].target.endpoints
    assert key == ("default/web:80@cluster-ip" if used else "default/web:80")
    assert list(world.entry("endpoints", key).addresses) == (["10.96.0.7:80"] if used else ["10.0.0.1:8080"])


def test_a_headless_service_is_reached_by_its_endpoints_with_a_word_to_its_user() -> None:
    world = cluster(service_upstream=True)
    put(world, ingress_class(), ingress(), service(clusterIP="None"), slice_of(at("10.0.0.1")))
    assert list(world.entry("endpoints", "default/web:80@cluster-ip").addresses) == ["10.0.0.1:8080"]
    assert world.codes() == ["NoClusterIP"]


def settings(world: World) -> Any:
    return world.entry("settings", "class/edge")


def test_the_parameters_of_a_class_are_the_settings_of_its_ingresses() -> None:
    world = cluster()
    config = made("ConfigMap", "edge-settings", metadata={"namespace": "edge"}, data={"proxy-body-size": "8m"})
    put(world, ingress_class(name="edge"), ingress(), service(), slice_of(at("10.0.0.1")))
    assert world.entry("fragment", "shop.example.com/uid-shop").scope == "process"
    put(world, made_class := _with_parameters())
    assert world.entry("fragment", "shop.example.com/uid-shop").scope == "class/edge"
    assert settings(world).body_limit == 1 << 20
    assert world.codes() == ["InvalidParameters"]
    put(world, config)
    assert settings(world).body_limit == 8 << 20
    assert world.codes() == []
    bad = {"proxy-body-size": "8m", "ssl-redirect": "perhaps", "no-such-key": "1", "disable-access-log": "true"}
    put(world, made("ConfigMap", "edge-settings", metadata={"namespace": "edge"}, data=bad))
    assert (settings(world).body_limit, settings(world).ssl_redirect, settings(world).access_log) == (
        8 << 20,
        True,
        False,
    )
    assert world.codes() == ["InvalidSetting", "UnknownSetting"]
    assert {problem.object.kind for problem in world.problems() if problem.object} == {"ConfigMap"}
    world.apply([Delete(made_class.key)])
    assert ("settings", "class/edge") not in world.translator.state()
    assert world.codes() == []


def _with_parameters() -> Object:
    parameters = {"kind": "ConfigMap", "name": "edge-settings", "scope": "Namespace", "namespace": "edge"}
    return made("IngressClass", "edge", "networking.k8s.io/v1", spec={"controller": OURS, "parameters": parameters})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"kind": "Widget", "name": "x", "apiGroup": "example.com"}, "a Widget is not read"),
        ({"kind": "ConfigMap", "name": "x", "scope": "Cluster"}, "needs scope: Namespace"),
    ],
)
def test_parameters_that_are_not_read_are_a_problem_of_the_class(parameters: dict[str, str], words: str) -> None:
    world = cluster()
    spec = {"controller": OURS, "parameters": parameters}
    put(world, made("IngressClass", "edge", "networking.k8s.io/v1", spec=spec), ingress())
    put(world, service(), slice_of(at("10.0.0.1")))
    [problem] = world.problems()
    assert str(problem.object) == "IngressClass edge"
    assert words in problem.message
    assert is_served(world), "with the settings of the process"


def test_what_is_needed_is_told_once_and_taken_back_once() -> None:
    world = cluster()
    needed = Dependency("Secret", "default", "tls")
    delta = put(world, ingress_class(), ingress(secret="tls"), ingress("other", class_name="other", secret="else"))
    assert (delta.needed, delta.unneeded) == ({needed}, frozenset())
    assert world.translator.needs() == {needed}
    delta = put(world, ingress(secret="tls", annotations={"fastingress.io/proxy-body-size": "1m"}))
    assert (delta.needed, delta.unneeded) == (frozenset(), frozenset())
    delta = put(world, ingress("second", secret="tls"))
    assert (delta.needed, delta.unneeded) == (frozenset(), frozenset())
    assert world.apply([Delete(ingress().key)]).unneeded == frozenset()
    delta = put(world, ingress("second", class_name="other", secret="tls"))
    assert (delta.needed, delta.unneeded) == (frozenset(), {needed})


def test_an_echo_of_our_own_status_redoes_nothing() -> None:
    world = cluster()
    put(world, ingress_class(), ingress(), service())
    echo = decode(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "name": "shop",
                "uid": "uid-shop",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{"manager": OURS, "subresource": "status"}],
            },
            "spec": {
                "ingressClassName": "edge",
                "rules": [
                    {
                        "host": "shop.example.com",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        },
        None,
    ).object
    assert echo is not None
    assert put(world, echo).counts.ingresses == 0


def test_a_flood_of_unknown_annotations_is_told_in_part() -> None:
    world = cluster()
    flood = {f"nginx.ingress.kubernetes.io/unknown-{number:04}": "x" for number in range(500)}
    flood["nginx.ingress.kubernetes.io/proxy-body-size"] = "not a size"
    put(world, ingress_class(), ingress(annotations=flood), service(), slice_of(at("10.0.0.1")))
    codes = world.codes()
    assert len(codes) == 21
    assert codes.count("InvalidAnnotation") == 1, "errors come before warnings"
    assert "ManyProblems" in codes


@pytest.mark.parametrize("address", ["::127.0.0.1", "::ffff:169.254.169.254", "::1", "::", "224.0.0.1", "ff02::1"])
def test_addresses_that_a_service_must_not_lead_to(address: str) -> None:
    world = cluster()
    put(world, ingress_class(), ingress(), service(type="ExternalName", externalName=address))
    assert not world.entry("endpoints", "default/web:80").known
    assert world.codes() == ["LocalEndpoint"]


def test_a_port_of_another_protocol_is_named_as_such() -> None:
    world = cluster()
    put(world, ingress_class(), ingress(), service(ports=[{"port": 80, "name": "dns", "protocol": "UDP"}]))
    [problem] = world.problems()
    assert "has no port 80; it has 80 (dns, UDP)" in problem.message
