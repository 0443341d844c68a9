"""`kubectl describe ingress` answers why it does not work: every problem is an Event on its object."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controller
from tests.cluster.support.corner import Corner, corner
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Rule

BROKEN = {
    "b-young": ("ConflictLost", "the path / (Prefix) of both.example belongs to {namespace}/a-old"),
    "no-service": ("MissingService", "Service {namespace}/nowhere does not exist"),
    "no-port": ("MissingPort", "Service {namespace}/shop has no port 4711; it has 80 (http)"),
    "no-port-name": ("MissingPort", "Service {namespace}/shop has no port grpc"),
    "no-secret": ("MissingSecret", "Secret {namespace}/shop-tls does not exist"),
    "misspelt": ("UnknownAnnotation", "proxy-body-sise"),
    "no-endpoints": ("NoEndpoints", "Service {namespace}/empty has no endpoint that is ready"),
}
"""By Ingress: the reason of its Event, and words of its message."""


@pytest.fixture(scope="module")
def here(control_plane_at: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """A namespace with an Ingress for each problem."""
    with corner(control_plane_at, tmp_path_factory.mktemp("events"), "events") as made:
        space = made.space
        space.deploy("shop")
        space.deploy("empty", replicas=0)
        space.ingress("a-old", Rule("shop", host="both.example"))
        space.ingress("b-young", Rule("shop", host="both.example"))
        space.ingress("no-service", Rule("nowhere", host="one.example"))
        space.ingress("no-port", Rule("shop", host="two.example", port=4711))
        space.ingress("no-port-name", Rule("shop", host="three.example", port="grpc"))
        space.ingress("no-secret", Rule("shop", host="four.example"), tls={"shop-tls": ["four.example"]})
        space.ingress("misspelt", Rule("shop", host="five.example"), annotations={"proxy-body-sise": "1m"})
        space.ingress("no-endpoints", Rule("empty", host="six.example"))
        space.ingress("well", Rule("shop", host="seven.example"))
        yield made


@pytest.fixture(scope="module")
def gateway(here: Corner) -> Controller:
    """A controller that leads."""
    return here.controllers.start(shutdown_delay="0s")


def described(space: Space, name: str) -> str:
    """The Events of an Ingress as kubectl shows them to whoever asks, without its line breaks and columns."""
    text = space.kubectl("describe", "ingress", name).stdout
    return " ".join(text.partition("Events:")[2].split())


def until_described(space: Space, name: str, *words: str) -> str:
    """The Events once all these words are there."""

    def has_all() -> str:
        text = described(space, name)
        assert all(word in text for word in words), text
        return text

    return eventually(has_all)


@pytest.mark.parametrize("name", BROKEN)
def test_kubectl_describe_says_what_is_wrong(here: Corner, gateway: Controller, name: str) -> None:
    reason, words = BROKEN[name]
    text = until_described(here.space, name, reason, words.format(namespace=here.space.namespace))
    assert "Warning" in text
    assert here.space.controller_class in text, "it says who found it"


def test_an_ingress_without_a_problem_has_no_event(here: Corner, gateway: Controller) -> None:
    eventually(lambda: all(here.space.events(name) for name in BROKEN), what="an Event on each of the others")
    assert here.space.events("well") == []
    assert here.space.events("a-old") == []


def test_a_problem_that_comes_later_is_told_once(here: Corner, gateway: Controller) -> None:
    space = here.space
    space.ingress("later", Rule("shop", host="later.example"))
    gateway.until_routed("later.example")
    assert space.events("later") == []
    space.ingress("later", Rule("elsewhere", host="later.example"))
    until_described(space, "later", "MissingService", "elsewhere")
    space.ingress("later", Rule("shop", host="later.example"), annotations={"proxy-body-sise": "1m"})
    until_described(space, "later", "UnknownAnnotation")
    assert sorted(each["reason"] for each in space.events("later")) == ["MissingService", "UnknownAnnotation"]


def test_a_broken_setting_of_a_class_is_an_event_on_the_config_map_and_on_the_class(
    here: Corner, gateway: Controller
) -> None:
    space = here.space
    name = f"{space.class_name}-broken"
    parameters = {"kind": "ConfigMap", "name": "settings", "scope": "Namespace", "namespace": space.namespace}
    space.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": name},
            "spec": {"controller": space.controller_class, "parameters": parameters},
        }
    )
    space.ingress("of-broken-class", Rule("shop", host="class.example"), class_name=name)

    def of_class() -> bool:
        """Events of objects without a namespace are in `default`."""
        found = [each for each in space.api.list("Event", "default") if each["regarding"].get("name") == name]
        return [each["reason"] for each in found] == ["InvalidParameters"]

    eventually(of_class)
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"proxy-body-size": "much", "no-such-key": "1"},
        }
    )
    eventually(lambda: {each["reason"] for each in space.events("settings")} == {"InvalidSetting", "UnknownSetting"})


def test_the_next_leader_goes_on_with_the_same_events(here: Corner, gateway: Controller) -> None:
    """Not a second one for the same problem: the one there is becomes a series. Ends the shared controller."""
    [before] = eventually(lambda: here.space.events("no-service"))
    assert gateway.stop() == 0
    here.controllers.start()

    def is_series() -> bool:
        [after] = here.space.events("no-service")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        return bool((after.get("series") or {}).get("count", 0) >= 2)

    eventually(is_series)


def test_without_permission_to_say_so_no_event_is_written(here: Corner) -> None:
    other = f"{here.space.class_name}-silent"
    here.space.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": other},
            "spec": {"controller": f"{here.space.controller_class}-silent"},
        }
    )
    here.space.ingress("silent", Rule("nowhere", host="silent.example"), class_name=other)
    silent = here.controllers.start(
        controller_class=f"{here.space.controller_class}-silent",
        election_id="silent",
        publish_events=False,
        publish_status_address="192.0.2.9",
    )
    assert silent.problem("MissingService")
    eventually(lambda: here.space.addresses("silent") == [{"ip": "192.0.2.9"}])
    assert here.space.events("silent") == []
