"""The permissions that `fastingress rbac` prints suffice; what is missing is named: verb, resource, place, flag."""

from __future__ import annotations

import copy
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.cluster.support import objects
from tests.cluster.support.account import Account, rbac_of
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress_class

ONE = "192.0.2.101"
HOST = "shop.example"
REQUIRED = {"ingresses", "services", "endpointslices"}
DENIED_AGAIN = 75.0
"""Seconds that a test waits for what is tried every 30 seconds."""

MODES: dict[str, Callable[[Space], dict[str, Any]]] = {
    "cluster-wide": lambda space: {},
    "namespace": lambda space: {"watch_namespace": space.namespace},
    "selector": lambda space: {"watch_namespace_selector": f"kubernetes.io/metadata.name={space.namespace}"},
    "named": lambda space: {"secret_access": "named"},
    "namespace, named": lambda space: {"watch_namespace": space.namespace, "secret_access": "named"},
    "selector, named, nodes": lambda space: {
        "watch_namespace_selector": f"kubernetes.io/metadata.name={space.namespace}",
        "secret_access": "named",
        "publish_node_addresses": "internal",
    },
    "namespace, zone, outside": lambda space: {
        "watch_namespace": space.namespace,
        "topology_aware_routing": True,
        "publish_service": f"{space.namespace}-outside/front",
        "default_ssl_certificate": f"{space.namespace}-outside/wildcard",
    },
}


def words(options: dict[str, Any]) -> list[str]:
    """Options as they are written on a command line."""
    found = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        found += [f"--no-{flag}"] if value is False else [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
    return found


def granted(space: Space, options: dict[str, Any], *more: str) -> list[Manifest]:
    """The roles that are printed for a controller with these options."""
    return rbac_of([*words(options), *more], namespace=space.namespace)


def bound(space: Space, roles: Iterable[Manifest], name: str = "fastingress") -> Account:
    """An account with these roles, once the API server knows of all of them."""
    roles, account = list(roles), Account(space, name)
    account.bind(roles)
    eventually(lambda: all(knows(account, role) for role in roles), what="the roles are known")
    return account


def knows(account: Account, role: Manifest) -> bool:
    """Whether the first rule of a role holds, of one that is not named after an object."""
    for rule in role.get("rules", ()):
        if not rule.get("resourceNames") and "/" not in rule["resources"][0]:
            asked = {"group": rule["apiGroups"][0], "namespace": role["metadata"].get("namespace", "")}
            return account.may(rule["verbs"][0], rule["resources"][0], **asked)
    return True


def without(roles: list[Manifest], *dropped: str, keep: Iterable[str] = ()) -> list[Manifest]:
    """The roles without `VERB RESOURCE` each; with `keep` without all resources but these."""
    found = []
    for role in copy.deepcopy(roles):
        rules = []
        for rule in role.get("rules", ()):
            for resource in rule["resources"]:
                verbs = [verb for verb in rule["verbs"] if f"{verb} {resource}" not in dropped]
                if verbs and (not keep or resource in keep):
                    rules.append({**rule, "resources": [resource], "verbs": verbs})
        found.append({**role, **({"rules": rules} if "rules" in role else {})})
    return found


def prepare(cluster: Space, authority: Authority) -> None:
    """A Service behind an Ingress with a certificate, of a class with parameters."""
    cluster.deploy("shop")
    cluster.apply(
        authority.issue(HOST).secret("shop-tls"),
        objects.config_map("limits", {"proxy-body-size": "10"}),
        with_parameters(cluster),
    )
    cluster.ingress("web", Rule("shop", host=HOST), tls={"shop-tls": [HOST]}, annotations={"ssl-redirect": "false"})


def with_parameters(cluster: Space) -> Manifest:
    """The class of the test, with the ConfigMap `limits`."""
    made = ingress_class(cluster.class_name, cluster.controller_class)
    place = {"scope": "Namespace", "namespace": cluster.namespace}
    made["spec"]["parameters"] = {"kind": "ConfigMap", "name": "limits", **place}
    return made


def outside(cluster: Space, authority: Authority) -> None:
    """A Service with an address, and a certificate, in a namespace that is not watched."""
    name = f"{cluster.namespace}-outside"
    front = objects.service_of("shop", "front", namespace=name, type="LoadBalancer")
    front["metadata"]["annotations"] = {"fake-kubelet/load-balancer": ONE}
    cluster.apply(objects.namespace(name), front, authority.issue("*.example").secret("wildcard", namespace=name))


def shown(gateway: Controller, authority: Authority, host: str) -> bytes:
    """The certificate that a host answers with."""
    with gateway.connect_tls(authority.trusting(), host) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        found = client.sock.getpeercert(binary_form=True)
    assert found
    return found


def denials(gateway: Controller) -> list[str]:
    """What is said to be denied."""
    return [each["message"] for each in gateway.problems() if each["code"] == "AccessDenied"]


# --- enough -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_printed_permissions_suffice_and_nothing_is_denied(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, authority: Authority, mode: str
) -> None:
    options = MODES[mode](cluster)
    prepare(cluster, authority)
    outside(cluster, authority)
    if not any(name.startswith("publish") for name in options):
        options["publish_status_address"] = ONE
    named = [f"--secret={cluster.namespace}/shop-tls"] if "secret_access" in options else []
    if "publish_node_addresses" in options:
        cluster.apply(objects.pod("fastingress-1", node_selector={"topology.kubernetes.io/zone": "zone-a"}))
    account = bound(cluster, granted(cluster, options, *named))
    gateway = controllers.start(account=account, through=fault_proxy, shutdown_delay="0s", **options)
    # Traffic, a certificate and its successor, and the parameters of the class.
    assert gateway.service_at(host=HOST) == "shop"
    first = shown(gateway, authority, HOST)
    cluster.apply(authority.issue(HOST).secret("shop-tls"))
    eventually(lambda: shown(gateway, authority, HOST) != first)
    eventually(lambda: gateway.get(host=HOST, method="POST", body=b"x" * 100).status == 413)
    cluster.apply(objects.config_map("limits", {"proxy-body-size": "1k"}))
    eventually(lambda: gateway.get(host=HOST, method="POST", body=b"x" * 100).status == 200)
    # What comes later and what goes.
    cluster.ingress("later", Rule("shop", host="later.example"))
    gateway.until_routed("later.example")
    cluster.delete("Ingress", "later")
    gateway.until_routed("later.example", status=404)
    # What is written: status, Events, the Lease.
    eventually(lambda: cluster.addresses("web"))
    cluster.ingress("broken", Rule("nowhere", host="broken.example"))
    eventually(lambda: cluster.events("broken"))
    assert gateway.stop() == 0
    lease = cluster.read("Lease", "fastingress-leader")
    assert lease
    assert lease["spec"]["holderIdentity"] == "", "it was taken and given back"
    assert fault_proxy.calls(status=403) == []
    assert fault_proxy.calls(status=401) == []
    assert "cannot " not in gateway.log


def test_many_secrets_by_name(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy, authority: Authority
) -> None:
    """150 of them, each followed on its own; a list of Secrets is never asked for."""
    cluster.deploy("shop")
    pair = authority.issue("*.many.example")
    names = [f"tls-{number}" for number in range(150)]
    cluster.apply(*(pair.secret(name) for name in names))
    hosts = {name: [f"{name}.many.example"] for name in names}
    cluster.ingress("many", Rule("shop", host="many.example"), tls=hosts)
    options: dict[str, Any] = {"secret_access": "named", "watch_namespace": cluster.namespace}
    account = bound(cluster, granted(cluster, options, *(f"--secret={cluster.namespace}/{name}" for name in names)))
    gateway = controllers.start(account=account, through=fault_proxy, **options)
    assert [each for each in gateway.problems() if each["code"] == "MissingSecret"] == []
    old = shown(gateway, authority, "tls-149.many.example")
    cluster.apply(authority.issue("*.many.example").secret("tls-149"))
    eventually(lambda: shown(gateway, authority, "tls-149.many.example") != old)
    assert shown(gateway, authority, "tls-0.many.example") == old
    followed = {call.query.get("fieldSelector") for call in fault_proxy.calls(verb="watch", resource="secrets")}
    assert followed == {f"metadata.name={name}" for name in names}
    assert fault_proxy.count(verb="list", resource="secrets") == 0
    assert fault_proxy.calls(status=403) == []


# --- not enough ---------------------------------------------------------------------------------------------------


def test_permissions_that_can_be_done_without_are_named_and_hold_nothing_up(
    cluster: Space, controllers: Controllers
) -> None:
    """Cluster-wide; and the class is taken to be there by its name, since it may not be read."""
    options: dict[str, Any] = {"publish_node_addresses": "internal", "ingress_class": cluster.class_name}
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    account = bound(cluster, without(granted(cluster, options), keep=REQUIRED))
    gateway = controllers.start(account=account, **options)
    own = f"in namespace {cluster.namespace}"
    expected = [
        "cannot list, watch ingressclasses.networking.k8s.io: without it classes are told by name only",
        "cannot list, watch namespaces: without it an Ingress whose namespace is being deleted does not yield",
        "cannot list, watch, get secrets in all namespaces: needed by --secret-access=watch, without it hosts answer",
        "cannot list, watch nodes: needed by --publish-node-addresses, without it no addresses are published",
        f"cannot list, watch pods {own}: needed by --publish-node-addresses, without it",
        f"cannot create leases.coordination.k8s.io {own}: needed by --update-status, --publish-events, without it",
        f"cannot get, update leases.coordination.k8s.io fastingress-leader {own}: needed by --update-status",
        "cannot patch ingresses.networking.k8s.io/status in all namespaces: needed by --update-status, without it",
        "cannot create, patch events.events.k8s.io in all namespaces: needed by --publish-events, without it",
    ]
    for line in expected:
        eventually(lambda: line in gateway.log, what=line)  # noqa: B023
    eventually(lambda: all(any(line in told for told in denials(gateway)) for line in expected))
    assert gateway.ask("/readyz").status == 200
    assert gateway.service_at(host=HOST) == "shop"
    cluster.ingress("later", Rule("shop", host="later.example"))
    gateway.until_routed("later.example")


def test_permissions_of_single_namespaces_and_objects_are_named_with_them(
    cluster: Space, controllers: Controllers, authority: Authority
) -> None:
    prepare(cluster, authority)
    outside(cluster, authority)
    options: dict[str, Any] = {
        "watch_namespace": cluster.namespace,
        "secret_access": "named",
        "topology_aware_routing": True,
        "publish_service": f"{cluster.namespace}-outside/front",
    }
    kept = without(
        granted(cluster, options), "patch events", "update leases", keep={*REQUIRED, "ingressclasses", "events"}
    )
    for role in kept:
        if role["metadata"].get("namespace", "").endswith("-outside"):
            role.pop("rules", None)
    account = bound(cluster, kept)
    gateway = controllers.start(account=account, **options)
    own, other = f"in namespace {cluster.namespace}", f"in namespace {cluster.namespace}-outside"
    expected = [
        f"get, watch namespaces {cluster.namespace}: needed by --watch-namespace, without it",
        f"secrets shop-tls {own}: needed by --secret-access=named, without it hosts answer",
        f"configmaps limits {own}: without it a class whose parameters name it has the settings of the flags",
        f"get, watch services front {other}: needed by --publish-service, for a Service outside",
        "get, watch nodes node-a: needed by --topology-aware-routing, without it the own zone is not known",
        f"cannot patch ingresses.networking.k8s.io/status {own}: needed by --update-status",
        f"cannot patch events.events.k8s.io {own}: needed by --publish-events",
    ]
    for line in expected:
        eventually(lambda: line in gateway.log, what=line)  # noqa: B023
    assert gateway.ask("/readyz").status == 200
    assert gateway.service_at(host=HOST) == "shop"


def test_what_nothing_can_be_served_without_is_told_where_readiness_is_asked(
    cluster: Space, controllers: Controllers
) -> None:
    """Of two controllers, one of the whole cluster and one of chosen namespaces; both go on when it is granted."""
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    selecting = MODES["selector"](cluster)
    silent: dict[str, Any] = {"publish_events": False}  # needs no Role, whose name both would have
    everything, chosen = granted(cluster, silent), granted(cluster, selecting)
    accounts = [
        Account(cluster, "of-all"),
        bound(cluster, without(chosen, "list namespaces", "watch namespaces"), "of-some"),
    ]
    of_all = controllers.start(account=accounts[0], wait=False, **silent)
    of_some = controllers.start(account=accounts[1], wait=False, **selecting)

    def says(gateway: Controller, *expected: str) -> bool:
        answer = gateway.ask("/readyz")
        assert answer.status == 503
        assert all(each in answer.text for each in expected), answer.text
        return True

    needed = [
        f"cannot list, watch {kind} in all namespaces: needed always"
        for kind in ("ingresses.networking.k8s.io", "services", "endpointslices.discovery.k8s.io")
    ]
    selector = "cannot list, watch namespaces: needed by --watch-namespace-selector"
    eventually(lambda: says(of_all, *needed))
    eventually(lambda: says(of_some, selector))
    for line in needed:
        eventually(lambda: line in of_all.log, what=line)  # noqa: B023
    eventually(lambda: selector in of_some.log)
    for each in (of_all, of_some):
        assert each.ask("/healthz").status == 200, "to start again would not help"
    accounts[0].bind(everything)
    accounts[1].bind(chosen)
    for each in (of_all, of_some):
        eventually(lambda: each.ask("/readyz").status == 200, deadline=DENIED_AGAIN)  # noqa: B023
        assert each.service_at(host=HOST) == "shop"
        eventually(lambda: denials(each) == [], deadline=DENIED_AGAIN)  # noqa: B023


def test_a_permission_that_is_taken_away_takes_no_route_with_it(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    roles = granted(cluster, {})
    account = bound(cluster, roles)
    gateway = controllers.start(account=account, through=fault_proxy)
    account.bind(without(roles, "list ingresses", "watch ingresses", "list services", "watch services"))
    eventually(lambda: not account.may("watch", "ingresses", group="networking.k8s.io"))
    for watch in fault_proxy.watches():
        watch.reset()
    eventually(lambda: len(denials(gateway)) == 2)
    told = " ".join(denials(gateway))
    assert "ingresses.networking.k8s.io in all namespaces: needed always" in told
    assert "services in all namespaces: needed always" in told
    assert gateway.service_at(host=HOST) == "shop"
    assert gateway.ask("/readyz").status == 200
