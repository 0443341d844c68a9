"""Which Ingresses are ours, and which of two that want the same path: as classes and namespaces come and go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.support import objects
from tests.cluster.support.api import Refused
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.corner import Corner, corner
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.history import changes, now
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress_class

LEGACY = "kubernetes.io/ingress.class"
ONE, OTHER = "192.0.2.101", "192.0.2.102"


@pytest.fixture(scope="module")
def here(control_plane_at: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """A namespace with two Services, `shop` and `cart`, and another controller's class."""
    with corner(control_plane_at, tmp_path_factory.mktemp("classes"), "classes") as made:
        made.space.deploy("shop")
        made.space.deploy("cart")
        yield made


@pytest.fixture(scope="module")
def gateway(here: Corner) -> Controller:
    """One controller for all tests of the file that need no flags of their own."""
    return here.controllers.start(publish_status_address=ONE)


@pytest.fixture
def foreign(here: Corner) -> str:
    """A class of another controller."""
    name = f"{here.space.class_name}-foreign"
    here.space.apply(ingress_class(name, "example.com/another-controller"))
    return name


# --- classes that come and go -------------------------------------------------------------------------------------


def test_a_class_that_comes_adopts_and_one_that_goes_drops(here: Corner, gateway: Controller) -> None:
    space, name = here.space, f"{here.space.class_name}-later"
    space.ingress("waiting", Rule("shop", host="waiting.example"), class_name=name)
    gateway.until_routed("waiting.example", status=404)
    space.apply(ingress_class(name, space.controller_class))
    gateway.until_routed("waiting.example")
    eventually(lambda: space.addresses("waiting") == [{"ip": ONE}])
    space.delete("IngressClass", name)
    gateway.until_routed("waiting.example", status=404)
    eventually(lambda: space.addresses("waiting") == [])
    space.apply(ingress_class(name, space.controller_class))
    gateway.until_routed("waiting.example")
    eventually(lambda: space.addresses("waiting") == [{"ip": ONE}])


def test_a_class_that_is_made_anew_for_another_controller_drops(here: Corner, gateway: Controller) -> None:
    """The controller of a class cannot be changed, so it is deleted and made anew."""
    space, name = here.space, f"{here.space.class_name}-anew"
    space.apply(ingress_class(name, space.controller_class))
    space.ingress("anew", Rule("shop", host="anew.example"), class_name=name)
    gateway.until_routed("anew.example")
    space.delete("IngressClass", name)
    space.apply(ingress_class(name, "example.com/another-controller"))
    gateway.until_routed("anew.example", status=404)
    space.delete("IngressClass", name)
    space.apply(ingress_class(name, space.controller_class))
    gateway.until_routed("anew.example")


def test_the_default_class_is_given_at_creation(here: Corner, gateway: Controller) -> None:
    """The API server does it: an Ingress that has no class when the default comes has none afterwards."""
    space, name = here.space, f"{here.space.class_name}-default"
    space.apply(classless("before", "before.example"))
    space.apply(ingress_class(name, space.controller_class, default=True))
    try:
        eventually(lambda: class_given(space) == name, what="the API server gives the class")
        space.apply(classless("after", "after.example"))
        gateway.until_routed("after.example")
    finally:
        space.delete("IngressClass", name)
        eventually(lambda: class_given(space) != name, what="the API server gives the class no more")
    gateway.until_routed("after.example", status=404)
    gateway.until_routed("before.example", status=404)


def classless(name: str, host: str) -> Manifest:
    """An Ingress that names no class."""
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop", "port": {"number": 80}}}}
    spec = {"rules": [{"host": host, "http": {"paths": [path]}}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def class_given(space: Space) -> str:
    """The class that an Ingress without one would get now."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{space.namespace}/ingresses"
    made = space.api.call("POST", path, query={"dryRun": "All"}, body=space.placed(classless("try", "try.example")))
    return str(made["spec"].get("ingressClassName", ""))


# --- the annotation of old ----------------------------------------------------------------------------------------


def test_the_legacy_annotation_names_a_class_of_ours(here: Corner, gateway: Controller, foreign: str) -> None:
    space = here.space
    for name, said in (("legacy-ours", space.class_name), ("legacy-flag", "fastingress"), ("legacy-not", foreign)):
        made = classless(name, f"{name}.example")
        made["metadata"]["annotations"] = {LEGACY: said}
        space.apply(made)
    gateway.until_routed("legacy-ours.example")
    gateway.until_routed("legacy-flag.example")
    gateway.until_routed("legacy-not.example", status=404)


def test_an_annotation_that_contradicts_the_field_is_a_problem(here: Corner, gateway: Controller, foreign: str) -> None:
    """The API refuses both together at creation, and takes them when the one comes later."""
    space = here.space
    for name, field, said in (("by-field", space.class_name, foreign), ("not-by-field", foreign, space.class_name)):
        space.ingress(name, Rule("shop", host=f"{name}.example"), class_name=field)
        space.patch("Ingress", name, {"metadata": {"annotations": {LEGACY: said}}})
    gateway.until_routed("by-field.example")
    gateway.until_routed("not-by-field.example", status=404)
    for name in ("by-field", "not-by-field"):
        eventually(lambda: [each["reason"] for each in space.events(name)] == ["ContradictoryClass"])  # noqa: B023

    def told() -> set[str]:
        return {each["object"]["name"] for each in gateway.problems() if each["code"] == "ContradictoryClass"}

    eventually(lambda: told() == {"by-field", "not-by-field"})


# --- parameters ---------------------------------------------------------------------------------------------------


def test_the_parameters_of_a_class_are_live_as_they_change(here: Corner, gateway: Controller) -> None:
    space, name = here.space, f"{here.space.class_name}-limited"

    def posted(size: int) -> int:
        return gateway.get(host="limited.example", method="POST", body=b"x" * size).status

    parameters = {"kind": "ConfigMap", "name": "limits", "scope": "Namespace", "namespace": space.namespace}
    made = ingress_class(name, space.controller_class)
    made["spec"]["parameters"] = parameters
    space.apply(made)
    space.ingress("limited", Rule("shop", host="limited.example"), class_name=name)
    space.ingress("unlimited", Rule("shop", host="unlimited.example"))
    gateway.until_routed("limited.example")
    assert posted(100) == 200
    space.apply(objects.config_map("limits", {"proxy-body-size": "10"}))
    eventually(lambda: posted(100) == 413)
    assert posted(5) == 200
    assert gateway.get(host="unlimited.example", method="POST", body=b"x" * 100).status == 200
    space.apply(objects.config_map("limits", {"proxy-body-size": "1k"}))
    eventually(lambda: posted(100) == 200)
    assert posted(2000) == 413
    space.delete("ConfigMap", "limits")
    eventually(lambda: posted(2000) == 200)


# --- who yields ---------------------------------------------------------------------------------------------------


def test_an_ingress_that_is_being_deleted_yields_to_a_living_one(here: Corner, gateway: Controller) -> None:
    space = here.space
    first = space.ingress("held", Rule("shop", host="held.example"))
    space.patch("Ingress", "held", {"metadata": {"finalizers": ["tests.example/hold"]}})
    until_created_later(space, first)
    space.ingress("heir", Rule("cart", host="held.example"))
    assert "heir" in {each["object"]["name"] for each in [gateway.problem("ConflictLost")]}
    assert gateway.service_at(host="held.example") == "shop"
    space.delete("Ingress", "held")
    try:
        eventually(lambda: gateway.service_at(host="held.example") == "cart")
        space.delete("Ingress", "heir")
        eventually(lambda: gateway.service_at(host="held.example") == "shop", what="it serves what nobody else does")
    finally:
        space.patch("Ingress", "held", {"metadata": {"finalizers": []}})
    gateway.until_routed("held.example", status=404)


def test_an_ingress_whose_namespace_is_being_deleted_yields(
    here: Corner, gateway: Controller, spaces: Callable[[], Space], kept_ingresses: Callable[[str], None]
) -> None:
    """A policy keeps its Ingress from being deleted, so that nothing but the namespace says that it will go."""
    leaving = spaces()
    leaving.deploy("shop")
    first = leaving.ingress("old", Rule("shop", host="moved.example"), class_name=here.space.class_name)
    until_created_later(here.space, first)
    here.space.ingress("moved", Rule("cart", host="moved.example"))
    gateway.until_routed("moved.example")
    eventually(lambda: gateway.service_at(host="moved.example") == "shop")
    kept_ingresses(leaving.namespace)
    leaving.api.delete("Namespace", leaving.namespace)
    eventually(lambda: gateway.service_at(host="moved.example") == "cart")
    found = leaving.read("Ingress", "old")
    assert found
    assert "deletionTimestamp" not in found["metadata"]


@pytest.fixture
def kept_ingresses(here: Corner) -> Iterator[Callable[[str], None]]:
    """Has the API server refuse to delete Ingresses of a namespace."""
    name = f"{here.space.namespace}-kept"
    ingresses = {"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "resources": ["ingresses"]}

    def keep(namespace: str) -> None:
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        common = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
        policy = {
            "matchConstraints": {"resourceRules": [{**ingresses, "operations": ["DELETE"]}]},
            "validations": [{"expression": "false"}],
        }
        binding = {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        }
        items = [
            {**common, "kind": "ValidatingAdmissionPolicy", "spec": policy},
            {**common, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
        ]
        here.space.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        eventually(lambda: is_kept(here.space, namespace), what="Ingresses are kept")

    yield keep
    kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy"
    here.space.kubectl("delete", kinds, name, "--ignore-not-found")


def is_kept(space: Space, namespace: str) -> bool:
    """Whether the API server refuses to delete the Ingress `old`."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/old"
    try:
        space.api.call("DELETE", path, query={"dryRun": "All"})
    except Refused as refused:
        return "ValidatingAdmissionPolicy" in str(refused)
    return False


def until_created_later(space: Space, first: Manifest) -> None:
    """Waits until an object that is made now is younger: creation is told in seconds."""

    def is_later() -> bool:
        space.delete("ConfigMap", "tests-clock")
        made = space.create(objects.config_map("tests-clock", {}))
        return bool(made["metadata"]["creationTimestamp"] > first["metadata"]["creationTimestamp"])

    eventually(is_later)


# --- flags, and controllers side by side --------------------------------------------------------------------------


def test_a_class_by_its_name_alone(here: Corner, foreign: str) -> None:
    """The class is another controller's; who has no permission to change it may still have it served."""
    space = here.space
    space.ingress("by-name", Rule("shop", host="by-name.example"), class_name=foreign)
    without_class = classless("no-class", "no-class.example")
    space.apply(without_class)
    flags: dict[str, Any] = {"controller_class": "example.com/unused", "ingress_class": foreign}
    by_name = here.controllers.start(ingress_class_by_name=True, publish_events=False, shutdown_delay="0s", **flags)
    assert by_name.service_at(host="by-name.example") == "shop"
    assert by_name.service_at(host="no-class.example") == "404"
    assert by_name.problem("ClassOfOtherController")["object"]["name"] == foreign
    assert by_name.stop() == 0
    not_by_name = here.controllers.start(publish_events=False, watch_ingress_without_class=True, **flags)
    assert not_by_name.service_at(host="by-name.example") == "404"
    assert not_by_name.service_at(host="no-class.example") == "shop"


def test_all_classes(here: Corner, foreign: str) -> None:
    space = here.space
    space.ingress("of-all-one", Rule("shop", host="one.of-all.example"), class_name=foreign)
    space.ingress("of-all-none", Rule("shop", host="none.of-all.example"), class_name="there-is-no-such-class")
    space.apply(classless("of-all-bare", "bare.of-all.example"))
    gateway = here.controllers.start(controller_class="example.com/all", all_ingress_classes=True, publish_events=False)
    served = {name: gateway.service_at(host=f"{name}.of-all.example") for name in ("one", "none", "bare")}
    assert served == {"one": "shop", "none": "shop", "bare": "shop"}


def test_two_controllers_touch_nothing_of_each_other(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    """Routes, status and Events: all that both have ever written is of their own Ingresses."""
    second = f"{cluster.controller_class}-second"
    second_class = f"{cluster.class_name}-second"
    cluster.apply(ingress_class(second_class, second))
    cluster.deploy("shop")
    since = now(cluster)
    first_gateway = controllers.start(publish_status_address=ONE, through=fault_proxy)
    second_gateway = controllers.start(controller_class=second, election_id="second", publish_status_address=OTHER)
    for name, class_name in (("one", cluster.class_name), ("other", second_class)):
        cluster.ingress(name, Rule("shop", host=f"{name}.example"), class_name=class_name)
        cluster.ingress(f"{name}-broken", Rule("nowhere", host=f"{name}-broken.example"), class_name=class_name)
    first_gateway.until_routed("one.example")
    second_gateway.until_routed("other.example")
    for name, address in (("one", ONE), ("other", OTHER)):
        eventually(lambda: cluster.addresses(name) == [{"ip": address}])  # noqa: B023
        eventually(lambda: cluster.events(f"{name}-broken"))  # noqa: B023
    # Whoever would write to the other's would have done it by the time that it has written to its own newest.
    for name, class_name, address in (("last-one", cluster.class_name, ONE), ("last-other", second_class, OTHER)):
        cluster.ingress(name, Rule("nowhere", host=f"{name}.example"), class_name=class_name)
        eventually(lambda: cluster.addresses(name) == [{"ip": address}])  # noqa: B023
        eventually(lambda: cluster.events(name))  # noqa: B023
    assert [first_gateway.service_at(host=host) for host in ("one.example", "other.example")] == ["shop", "404"]
    assert [second_gateway.service_at(host=host) for host in ("one.example", "other.example")] == ["404", "shop"]
    wrote = {
        (entry["manager"], each.object["metadata"]["name"].replace("last-", "").removesuffix("-broken"))
        for each in changes(cluster, "Ingress", since)
        for entry in each.object["metadata"]["managedFields"]
        if entry.get("subresource") == "status"
    }
    assert wrote == {(cluster.controller_class, "one"), (second, "other")}
    told = {
        (each["reportingController"], each["regarding"]["name"])
        for each in cluster.api.list("Event", cluster.namespace)
        if each["regarding"].get("kind") == "Ingress"
    }
    assert told == {
        (cluster.controller_class, "one-broken"),
        (cluster.controller_class, "last-one"),
        (second, "other-broken"),
        (second, "last-other"),
    }
    patched = {call.name for call in fault_proxy.calls(verb="patch", path="/ingresses/[^/]+/status$")}
    assert patched == {"one", "one-broken", "last-one"}
    for gateway, foreign_names in ((first_gateway, "other"), (second_gateway, "one")):
        assert not [each for each in gateway.problems() if foreign_names in each["object"]["name"].split("-")]
