"""Two controllers with two classes live in one cluster without touching each other's objects."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.support.controller import Controller
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Rule, ingress_class

Start = Callable[..., Controller]
ONE, OTHER = "192.0.2.101", "192.0.2.102"


def test_each_serves_the_ingresses_of_its_class(cluster: Space, controller: Start) -> None:
    other_class = f"{cluster.class_name}-other"
    cluster.apply(ingress_class(other_class, f"{cluster.controller_class}-other"))
    cluster.deploy("shop")
    cluster.ingress("one", Rule("shop", host="one.example"))
    cluster.ingress("other", Rule("shop", host="other.example"), class_name=other_class)
    first = controller(publish_status_address=ONE)
    second = controller(
        controller_class=f"{cluster.controller_class}-other", election_id="other", publish_status_address=OTHER
    )
    assert [first.service_at(host=host) for host in ("one.example", "other.example")] == ["shop", "404"]
    assert [second.service_at(host=host) for host in ("one.example", "other.example")] == ["404", "shop"]
    eventually(lambda: cluster.addresses("one") == [{"ip": ONE}])
    eventually(lambda: cluster.addresses("other") == [{"ip": OTHER}])


def test_an_ingress_that_changes_its_class_changes_hands(cluster: Space, controller: Start) -> None:
    other_class = f"{cluster.class_name}-other"
    cluster.apply(ingress_class(other_class, f"{cluster.controller_class}-other"))
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    first = controller(publish_status_address=ONE)
    second = controller(
        controller_class=f"{cluster.controller_class}-other", election_id="other", publish_status_address=OTHER
    )
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])
    cluster.patch("Ingress", "web", {"spec": {"ingressClassName": other_class}})
    second.until_routed("shop.example")
    first.until_routed("shop.example", status=404)
    eventually(lambda: cluster.addresses("web") == [{"ip": OTHER}])


def test_a_class_of_someone_else_is_left_alone(cluster: Space, controller: Start) -> None:
    foreign = f"{cluster.class_name}-foreign"
    cluster.apply(ingress_class(foreign, "example.com/another-controller"))
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="web.example"), class_name=foreign)
    cluster.ingress("ours", Rule("shop", host="ours.example"))
    gateway = controller(publish_status_address=ONE)
    eventually(lambda: cluster.addresses("ours") == [{"ip": ONE}])
    assert gateway.service_at(host="web.example") == "404"
    assert cluster.addresses("web") == []
