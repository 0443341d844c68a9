"""No permission is printed that is not used: what two controllers, with most flags on, call is what they are granted.

That it suffices is tested in `test_permissions`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.cluster.support import faults, objects
from tests.cluster.support.account import Account, rbac_of
from tests.cluster.support.controller import ELECTION, Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.certificates import Authority
from tests.support.clients import authority_secret
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress_class

ONE = "192.0.2.101"
HOST = "shop.example"
ASKED = {("create", "selfsubjectaccessreviews")}
"""Everyone may ask what they may, by the cluster's own `system:basic-user`."""


class Grant(NamedTuple):
    """One verb for one resource, in a namespace or, with an empty one, everywhere; for one object or for all."""

    verb: str
    resource: str
    namespace: str
    name: str

    def used(self, proxy: FaultProxy) -> bool:
        """Whether a call needed it. One that follows a single object says so in its field selector."""
        calls = proxy.calls(verb=self.verb, resource=self.resource)
        here = [call for call in calls if self.namespace in ("", call.namespace)]
        chosen = f"metadata.name={self.name}"
        return any(self.name in ("", call.name) or call.query.get("fieldSelector") == chosen for call in here)


def grants(roles: Iterable[Manifest]) -> set[Grant]:
    return {
        Grant(verb, resource, role["metadata"].get("namespace", ""), name)
        for role in roles
        for rule in role.get("rules", ())
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or ("",)
    }


def bound(space: Space, roles: list[Manifest], name: str) -> Account:
    """An account with these roles, once the API server knows of each."""
    account = Account(space, name)
    account.bind(roles)
    plain = [(role, rule) for role in roles for rule in role.get("rules", ()) if "/" not in rule["resources"][0]]
    for role, rule in plain:
        asked = {"group": rule["apiGroups"][0], "namespace": role["metadata"].get("namespace", "")}
        named = (rule.get("resourceNames") or ("",))[0]
        eventually(lambda: account.may(rule["verbs"][0], rule["resources"][0], name=named, **asked))  # noqa: B023
    return account


def assert_all_used(proxy: FaultProxy, roles: list[Manifest]) -> None:
    """There is no exception."""
    granted = grants(roles)
    called = {(call.verb, call.resource) for call in proxy.calls() if call.resource}
    assert called - {(grant.verb, grant.resource) for grant in granted} == ASKED
    assert {grant for grant in granted if not grant.used(proxy)} == set()
    assert proxy.calls(status=403) == []


def parameters(space: Space) -> None:
    """A ConfigMap, and the class of the test with it."""
    made = ingress_class(space.class_name, space.controller_class)
    made["spec"]["parameters"] = {
        "kind": "ConfigMap",
        "name": "limits",
        "scope": "Namespace",
        "namespace": space.namespace,
    }
    space.apply(objects.config_map("limits", {"proxy-body-size": "10"}), made)


def post(gateway: Controller) -> int:
    return gateway.get(host=HOST, method="POST", body=b"x" * 100).status


def serial(gateway: Controller, authority: Authority, host: str) -> bytes:
    with gateway.connect_tls(authority.trusting(), host) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True) or b""


def lives(space: Space, gateway: Controller, proxy: FaultProxy, authority: Authority) -> None:
    """All that makes a controller call: traffic, settings, certificates, status, Events, and its Lease."""
    assert gateway.service_at(host=HOST) == "shop"
    eventually(lambda: post(gateway) == 413)
    space.apply(objects.config_map("limits", {"proxy-body-size": "1k"}))
    eventually(lambda: post(gateway) == 200)
    before = serial(gateway, authority, HOST)
    space.apply(authority.issue(HOST).secret("shop-tls"))
    eventually(lambda: serial(gateway, authority, HOST) != before)
    eventually(lambda: space.addresses("web"))
    # A problem, and the same once more: that is an Event, and a series of it.
    for verb in ("create", "patch"):
        space.ingress("broken", Rule("nowhere", host="broken.example"))
        eventually(lambda: proxy.count(verb=verb, resource="events"), what=f"{verb} events")  # noqa: B023
        space.ingress("broken", Rule("shop", host="broken.example"))
        gateway.until_routed("broken.example")
    # A Lease that is renewed, and one that is lost.
    space.delete("Lease", ELECTION)
    eventually(lambda: proxy.count(verb="create", resource="leases"), what="a new Lease")


def test_every_permission_of_a_controller_of_the_whole_cluster_is_used(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, authority: Authority
) -> None:
    options: dict[str, Any] = {"publish_node_addresses": "internal"}
    roles = rbac_of(["--publish-node-addresses=internal"], namespace=cluster.namespace)
    cluster.deploy("shop")
    cluster.apply(objects.pod("fastingress-1"), authority.issue(HOST).secret("shop-tls"))
    parameters(cluster)
    cluster.ingress("web", Rule("shop", host=HOST), tls={"shop-tls": [HOST]}, annotations={"ssl-redirect": "false"})
    # Some servers send no list as a stream: only with them what is listed or fetched needs more than `watch`.
    fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    gateway = controllers.start(
        account=bound(cluster, roles, "of-all"), through=fault_proxy, shutdown_delay="0s", **options
    )
    lives(cluster, gateway, fault_proxy, authority)
    # A Secret that comes to be needed later is fetched.
    cluster.apply(authority.issue("later.example").secret("later-tls"))
    cluster.ingress("later", Rule("shop", host="later.example"), tls={"later-tls": ["later.example"]})
    eventually(lambda: fault_proxy.count(verb="get", resource="secrets", name="later-tls", status=200))
    assert gateway.stop() == 0
    assert_all_used(fault_proxy, roles)


def test_every_permission_of_a_controller_of_one_namespace_is_used(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, authority: Authority
) -> None:
    """It follows single objects: Secrets and ConfigMaps by name, its own Node, and a Service of another namespace."""
    elsewhere = f"{cluster.namespace}-outside"
    options: dict[str, Any] = {
        "watch_namespace": cluster.namespace,
        "secret_access": "named",
        "topology_aware_routing": True,
        "publish_service": f"{elsewhere}/front",
        "tcp_services_configmap": f"{elsewhere}/tcp",
        "udp_services_configmap": f"{cluster.namespace}/udp",
        "ssl_session_ticket_secret": f"{elsewhere}/tickets",
    }
    flags = [f"--watch-namespace={cluster.namespace}", "--secret-access=named", "--topology-aware-routing"]
    flags += [f"--publish-service={elsewhere}/front", f"--secret={cluster.namespace}/shop-tls"]
    flags += [f"--tcp-services-configmap={elsewhere}/tcp", f"--udp-services-configmap={cluster.namespace}/udp"]
    flags += [f"--ssl-session-ticket-secret={elsewhere}/tickets"]
    roles = rbac_of([*flags, f"--config-map={cluster.namespace}/limits"], namespace=cluster.namespace)
    front = objects.service_of("shop", "front", namespace=elsewhere, type="LoadBalancer")
    front["metadata"]["annotations"] = {"fake-kubelet/load-balancer": ONE}
    cluster.deploy("shop")
    cluster.apply(objects.namespace(elsewhere), front, authority.issue(HOST).secret("shop-tls"))
    cluster.apply(
        objects.config_map("tcp", {}, namespace=elsewhere),
        objects.config_map("udp", {}),
        authority_secret("tickets", {"ssl-session-ticket-key": bytes(80)}, namespace=elsewhere),
    )
    parameters(cluster)
    cluster.ingress("web", Rule("shop", host=HOST), tls={"shop-tls": [HOST]}, annotations={"ssl-redirect": "false"})
    fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    gateway = controllers.start(
        account=bound(cluster, roles, "of-some"), through=fault_proxy, shutdown_delay="0s", **options
    )
    lives(cluster, gateway, fault_proxy, authority)
    assert gateway.stop() == 0
    assert_all_used(fault_proxy, roles)
