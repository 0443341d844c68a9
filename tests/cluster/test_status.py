"""The status of Ingresses says where the gateway is reached, and nothing is written over what someone else says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.support import objects
from tests.cluster.support.api import APPLY, collection
from tests.cluster.support.controller import Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.history import changes, now
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Rule, ingress_class

ONE, TWO, FOREIGN = "192.0.2.101", "192.0.2.102", "198.51.100.7"
STATUS = "ingresses/status"


def claims(cluster: Space, name: str, *addresses: str, manager: str = "someone-else", force: bool = False) -> None:
    """Another manager writes the status of an Ingress."""
    status = {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "status": status}
    path = f"{collection('Ingress', cluster.namespace)}/{name}/status"
    query = {"fieldManager": manager, "force": str(force).lower()}
    cluster.api.call("PATCH", path, query=query, body=body, content_type=APPLY)


def until_says(cluster: Space, name: str, *addresses: dict[str, Any]) -> None:
    """Waits until the status has these addresses."""
    eventually(lambda: cluster.addresses(name) == list(addresses), what=f"{addresses} in the status of {name}")


def balanced(cluster: Space, *addresses: str) -> None:
    """The Service `front` gets these addresses."""
    given = ",".join(addresses) or "none"
    front = objects.service_of("shop", "front", type="LoadBalancer")
    front["metadata"]["annotations"] = {"fake-kubelet/load-balancer": given}
    cluster.apply(front)


def test_the_addresses_of_a_service_are_followed(cluster: Space, controllers: Controllers) -> None:
    balanced(cluster, ONE)
    cluster.ingress("web", Rule("shop", host="web.example"))
    controllers.start(publish_service=f"{cluster.namespace}/front")
    until_says(cluster, "web", {"ip": ONE})
    balanced(cluster, TWO, "lb.example")
    until_says(cluster, "web", {"hostname": "lb.example"}, {"ip": TWO})
    cluster.ingress("later", Rule("shop", host="later.example"))
    until_says(cluster, "later", {"hostname": "lb.example"}, {"ip": TWO})


def test_addresses_that_are_lost_stay_until_there_are_others(cluster: Space, controllers: Controllers) -> None:
    balanced(cluster, ONE)
    cluster.ingress("web", Rule("shop", host="web.example"))
    gateway = controllers.start(publish_service=f"{cluster.namespace}/front")
    until_says(cluster, "web", {"ip": ONE})
    since = now(cluster)
    balanced(cluster)
    assert "stay" in gateway.problem("NoPublishAddress")["message"]
    cluster.delete("Service", "front")
    assert "stay" in gateway.problem("PublishServiceMissing")["message"]
    balanced(cluster, TWO)
    until_says(cluster, "web", {"ip": TWO})
    written = [each.object["status"]["loadBalancer"].get("ingress") for each in changes(cluster, "Ingress", since)]
    assert written == [[{"ip": TWO}]], "nothing between the two"


def test_a_service_that_comes_after_the_controller(cluster: Space, controllers: Controllers) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    gateway = controllers.start(publish_service=f"{cluster.namespace}/front")
    assert "no status" in gateway.problem("PublishServiceMissing")["message"]
    balanced(cluster, ONE)
    until_says(cluster, "web", {"ip": ONE})
    eventually(lambda: gateway.problems() and not [x for x in gateway.problems() if x["code"].startswith("Publish")])


def test_fixed_addresses_and_node_addresses(cluster: Space, controllers: Controllers) -> None:
    """Two controllers, so that their waits run side by side."""
    other = f"{cluster.class_name}-other"
    cluster.apply(ingress_class(other, f"{cluster.controller_class}-other"))
    cluster.apply(objects.pod("fastingress-of-test", node_selector={"topology.kubernetes.io/zone": "zone-b"}))
    cluster.ingress("web", Rule("shop", host="web.example"))
    cluster.ingress("on-nodes", Rule("shop", host="nodes.example"), class_name=other)
    controllers.start(publish_status_address=(ONE, "gateway.example", "2001:db8::1"))
    controllers.start(
        controller_class=f"{cluster.controller_class}-other", election_id="other", publish_node_addresses="internal"
    )
    until_says(cluster, "web", {"hostname": "gateway.example"}, {"ip": ONE}, {"ip": "2001:db8::1"})
    node = cluster.api.read("Node", "node-b")
    assert node
    internal = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    until_says(cluster, "on-nodes", *({"ip": each} for each in internal))


def test_an_ingress_that_leaves_the_class_loses_our_addresses_and_no_others(
    cluster: Space, controllers: Controllers
) -> None:
    nobody = f"{cluster.class_name}-nobody"
    cluster.apply(ingress_class(nobody, "example.com/nobody"))
    for name in ("ours", "shared"):
        cluster.ingress(name, Rule("shop", host=f"{name}.example"))
    cluster.ingress("foreign", Rule("shop", host="foreign.example"), class_name=nobody)
    claims(cluster, "foreign", FOREIGN)
    controllers.start(publish_status_address=ONE)
    for name in ("ours", "shared"):
        until_says(cluster, name, {"ip": ONE})
    claims(cluster, "shared", ONE, manager="someone-who-says-the-same")
    since = now(cluster)
    for name in ("ours", "shared"):
        cluster.patch("Ingress", name, {"spec": {"ingressClassName": nobody}})
    until_says(cluster, "ours")

    def of_shared() -> set[str]:
        found = cluster.read("Ingress", "shared")
        assert found
        return {each["manager"] for each in found["metadata"]["managedFields"] if each.get("subresource") == "status"}

    eventually(lambda: of_shared() == {"someone-who-says-the-same"}, what="our manager has left")
    assert cluster.addresses("shared") == [{"ip": ONE}], "who else says so still does"
    assert cluster.addresses("foreign") == [{"ip": FOREIGN}]
    assert "foreign" not in {each.object["metadata"]["name"] for each in changes(cluster, "Ingress", since)}


def test_a_status_that_another_manager_owns_is_left_to_it_until_it_has_gone(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    cluster.ingress("free", Rule("shop", host="free.example"))
    claims(cluster, "web", FOREIGN)
    gateway = controllers.start(publish_status_address=ONE, through=fault_proxy)
    until_says(cluster, "free", {"ip": ONE})
    assert "someone-else" in gateway.problem("StatusConflict")["message"]
    eventually(lambda: gateway.metric("fastingress_status_conflicts") == 1)
    eventually(lambda: "StatusConflict" in {each["reason"] for each in cluster.events("web")})
    assert "StatusConflict" in cluster.kubectl("describe", "ingress", "web").stdout
    # It is seen that the other owns it: nothing is even tried, whatever happens to the Ingress.
    tried = fault_proxy.count(verb="patch", resource=STATUS, name="web")
    cluster.patch("Ingress", "web", {"metadata": {"labels": {"touched": "yes"}}})
    cluster.ingress("web", Rule("shop", host="new.example"))
    cluster.patch("Ingress", "free", {"metadata": {"labels": {"touched": "yes"}}})
    gateway.until_routed("new.example", status=503)
    cluster.ingress("last", Rule("shop", host="last.example"))
    until_says(cluster, "last", {"ip": ONE})
    assert fault_proxy.count(verb="patch", resource=STATUS, name="web") == tried <= 2
    assert cluster.addresses("web") == [{"ip": FOREIGN}]
    # What the message advises.
    cluster.kubectl("patch", "ingress", "web", "--subresource=status", "--type=merge", "-p", '{"status":null}')
    until_says(cluster, "web", {"ip": ONE})
    eventually(lambda: gateway.metric("fastingress_status_conflicts") == 0)
    eventually(lambda: "StatusConflict" not in {each["code"] for each in gateway.problems()})


def test_a_status_that_is_taken_from_us_by_force_is_not_fought_for(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    gateway = controllers.start(publish_status_address=ONE, through=fault_proxy)
    until_says(cluster, "web", {"ip": ONE})
    claims(cluster, "web", FOREIGN, force=True)
    assert "someone-else" in gateway.problem("StatusConflict")["message"]
    assert cluster.addresses("web") == [{"ip": FOREIGN}]
    assert fault_proxy.count(verb="patch", resource=STATUS, name="web", status=409) <= 2
    # It goes in good order, by applying nothing.
    path = f"{collection('Ingress', cluster.namespace)}/web/status"
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}}
    cluster.api.call("PATCH", path, query={"fieldManager": "someone-else"}, body=body, content_type=APPLY)
    until_says(cluster, "web", {"ip": ONE})


NEVER: dict[str, dict[str, Any]] = {
    "told not to": {"update_status": False, "publish_status_address": ONE},
    "no address": {},
    "all classes": {"all_ingress_classes": True, "publish_status_address": ONE},
}


@pytest.mark.parametrize("case", NEVER)
def test_no_status_is_ever_written(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, case: str
) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    cluster.ingress("broken", Rule("nowhere", host="broken.example"))
    gateway = controllers.start(
        through=fault_proxy, watch_namespace=cluster.namespace, shutdown_delay="0s", **NEVER[case]
    )
    eventually(lambda: cluster.events("broken"), what="the controller leads, and would have written")
    gateway.until_routed("web.example", status=503)
    assert gateway.stop() == 0
    assert fault_proxy.count(path=f"{STATUS}|ingresses/[^/]+/status") == 0
    assert cluster.addresses("web") == []


def test_with_all_classes_the_status_is_written_when_told_to(cluster: Space, controllers: Controllers) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"), class_name=cluster.class_name)
    controllers.start(
        all_ingress_classes=True, update_status=True, publish_status_address=ONE, watch_namespace=cluster.namespace
    )
    until_says(cluster, "web", {"ip": ONE})


@pytest.mark.parametrize("ends", ["stopped", "killed"])
def test_shutting_down_wipes_nothing(cluster: Space, controllers: Controllers, ends: str) -> None:
    cluster.ingress("web", Rule("shop", host="web.example"))
    gateway = controllers.start(publish_status_address=ONE, shutdown_delay="0s")
    until_says(cluster, "web", {"ip": ONE})
    since = now(cluster)
    if ends == "stopped":
        assert gateway.stop() == 0
    else:
        gateway.child.kill()
        gateway.exit_status()
    assert changes(cluster, "Ingress", since) == []
    assert cluster.addresses("web") == [{"ip": ONE}]
