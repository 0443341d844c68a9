"""The controller as the chart deploys it: the arguments of its Deployment, the RBAC beside it, and no denied call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.support.account import Account, write_kubeconfig
from tests.cluster.support.controller import Controller
from tests.cluster.support.edge import Edge
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support import helm
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule

pytestmark = pytest.mark.usefixtures("helm")

POD_ADDRESS = "10.244.254.1"
"""Of the range that is local here, and no pod's."""
BALANCER = "192.0.2.33"

VALUES: dict[str, Callable[[Space], dict[str, Any]]] = {
    "defaults": lambda space: {},
    "secrets by name": lambda space: {"secretAccess": "named", "secretNames": {space.namespace: ["shop-tls"]}},
    "one namespace": lambda space: {"watchNamespaces": [space.namespace]},
    "one namespace, secrets by name": lambda space: {
        "watchNamespaces": [space.namespace],
        "secretAccess": "named",
        "secretNames": {space.namespace: ["shop-tls"]},
    },
    "namespaces by label": lambda space: {"watchNamespaceSelector": f"kubernetes.io/metadata.name={space.namespace}"},
    "own zone": lambda space: {"topologyAwareRouting": True},
}


@contextmanager
def deployed(space: Space, values: dict[str, Any], folder: Path, proxy: FaultProxy) -> Iterator[Controller]:
    """What the chart renders for the class and the namespace of the test, and the process that a pod would run.

    The proxy, which is between it and the API server, tells in the end whether any call was denied, until it has ended.
    """
    own = {"ingressClass": {"name": space.class_name, "controller": space.controller_class, "create": False}}
    objects = helm.rendered({**own, **values}, release=space.namespace, namespace=space.namespace)
    named = {each["metadata"]["name"] for each in helm.of_kind(objects, "ServiceAccount")}
    (account,) = (Account(space, name) for name in named)
    space.apply(*(each for each in objects if each["kind"] not in {"Deployment", "ServiceAccount"}))
    space.apply(given_back(helm.arguments_of(objects), space.namespace))
    config = write_kubeconfig(folder / "kubeconfig", proxy.address, space.plane.ca, {"token": account.token()})
    given = [argument.replace("$(POD_IP)", POD_ADDRESS) for argument in helm.arguments_of(objects)]
    ports = [f"--{name}-port=0" for name in ("http", "https", "admin")]
    last = [*ports, "--shutdown-delay=0s", f"--kubeconfig={config}"]
    command = [sys.executable, "-m", "fastingress", *given, *last]
    identity = {"POD_NAME": "fastingress-0", "POD_NAMESPACE": space.namespace, "NODE_NAME": "node-a"}
    controller = Controller(command, {**os.environ, **identity})
    try:
        yield controller
        assert controller.stop() == 0
        assert "cannot " not in controller.log
        assert proxy.count(verb="watch", resource="ingresses", status=200) > 0, "it is asked by way of the proxy"
        assert proxy.calls(status=403) == []
        assert proxy.calls(status=401) == []
    finally:
        controller.close()


def config_maps_of_the_chart(space: Space) -> dict[str, str]:
    """`namespace/name` of those of TCP and UDP services."""
    found = space.api.list("ConfigMap", space.namespace, labelSelector="app.kubernetes.io/name=fastingress")
    names = [each["metadata"]["name"] for each in found]
    return {name.rpartition("-")[2]: f"{space.namespace}/{name}" for name in names}


def given_back(arguments: list[str], namespace: str) -> Manifest:
    """The Lease as an earlier leader leaves it: a new one would be led with only after its whole duration."""
    (name,) = (argument.partition("=")[2] for argument in arguments if argument.startswith("--election-id="))
    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z"}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("case", VALUES)
def test_it_serves_and_publishes_and_is_denied_nothing(
    cluster: Space, fault_proxy: FaultProxy, authority: Authority, tmp_path: Path, case: str
) -> None:
    cluster.deploy("shop")
    cluster.apply(authority.issue("shop.example").secret("shop-tls"))
    cluster.ingress("web", Rule("shop", host="shop.example"), tls={"shop-tls": ["shop.example"]})
    with deployed(cluster, VALUES[case](cluster), tmp_path, fault_proxy) as controller:
        answer = controller.get_tls(authority.trusting(), host="shop.example")
        assert answer.json()["service"] == "shop"
        services = cluster.api.list("Service", cluster.namespace)
        service = next(each for each in services if each["spec"]["type"] == "LoadBalancer")
        status = {"status": {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}}
        cluster.patch("Service", service["metadata"]["name"], status, subresource="status")
        eventually(lambda: cluster.addresses("web") == [{"ip": BALANCER}])
        # A problem of an Ingress becomes an Event on it, in its namespace.
        cluster.ingress("broken", Rule("nowhere", host="broken.example"))
        eventually(lambda: cluster.events("broken"))
        assert [each for each in controller.problems() if each["code"] == "AccessDenied"] == []


@pytest.mark.parametrize("access", ["watch", "named"])
@pytest.mark.parametrize("scope", ["whole cluster", "one namespace"])
def test_what_tls_and_streams_need_is_granted_too(
    cluster: Space, fault_proxy: FaultProxy, authority: Authority, tmp_path: Path, scope: str, access: str
) -> None:
    """With the ConfigMaps that the chart makes, and `configMapNames`, which names none of them."""
    edge = Edge(cluster, authority, tmp_path)
    values = {
        **edge.values,
        "secretAccess": access,
        "secretNames": {cluster.namespace: edge.secrets} if access == "named" else {},
        "configMapNames": {cluster.namespace: ["settings"]},
        "watchNamespaces": [cluster.namespace] if scope == "one namespace" else [],
    }
    with edge.made(), deployed(cluster, values, tmp_path, fault_proxy) as controller:
        edge.config_maps = config_maps_of_the_chart(cluster)
        edge.until_served(controller)
        edge.until_followed(controller)
        assert [each["message"] for each in controller.problems()] == []


def test_beside_another_controller_it_serves_the_same_and_may_write_nothing(
    cluster: Space, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    cluster.ingress("broken", Rule("nowhere", host="broken.example"))
    theirs = {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}
    cluster.patch("Ingress", "web", {"status": theirs}, subresource="status")
    with deployed(cluster, {"status": {"update": False}, "events": False}, tmp_path, fault_proxy) as controller:
        assert controller.service_at(host="shop.example") == "shop"
        assert controller.problem("MissingService")
        # Nothing but reading is granted, so what it wrote it would have been denied.
        assert [each for each in controller.problems() if each["code"] == "AccessDenied"] == []
        assert cluster.addresses("web") == [{"ip": BALANCER}]
        assert cluster.events("broken") == []
