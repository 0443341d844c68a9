"""The control plane does what the other tests rely on. No controller of ours is at work here."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
from typing import Any

import pytest

from tests.cluster.support import control_plane, objects
from tests.cluster.support.account import Account
from tests.cluster.support.api import Refused
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load, run_twice
from tests.cluster.support.objects import PORT
from tests.cluster.support.space import Space
from tests.support import manifests
from tests.support.eventually import eventually


def ask(address: str, target: str = "/", *, method: str = "GET", headers: dict[str, str] | None = None) -> Any:
    """What the pod at an address answers."""
    connection = http.client.HTTPConnection(address, PORT, timeout=10)
    try:
        connection.request(method, target, headers=headers or {})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def listens(address: str) -> bool:
    connection = http.client.HTTPConnection(address, PORT, timeout=10)
    try:
        connection.connect()
    except ConnectionRefusedError:
        return False
    connection.close()
    return True


def test_the_tests_are_in_the_network_of_the_pods(plane: ControlPlane) -> None:
    assert plane.network.is_entered()
    entered: list[bool] = []
    thread = threading.Thread(target=lambda: entered.append(plane.network.is_entered()))
    thread.start()
    thread.join()
    assert entered == [True]


def test_the_control_plane_passes_its_own_smoke_test(plane: ControlPlane) -> None:
    path = f"{control_plane.PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig), "PATH": path}
    script = control_plane.SCRIPTS / "smoke.sh"
    done = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pods_serve_behind_their_service(cluster: Space) -> None:
    shop = cluster.deploy("shop", replicas=3)
    answers = [ask(address, "/cart") for address in shop.ready_addresses()]
    assert {answer["pod"] for answer in answers} == shop.pod_names()
    assert {(answer["path"], answer["service"]) for answer in answers} == {("/cart", "shop")}


def test_pods_spread_over_the_nodes_of_several_zones(cluster: Space) -> None:
    shop = cluster.deploy("shop", replicas=3)
    assert {each["spec"]["nodeName"] for each in shop.pods()} == {"node-a", "node-b", "node-c"}
    zones = {endpoint["zone"] for piece in shop.slices() for endpoint in piece["endpoints"]}
    assert zones == {"zone-a", "zone-b", "zone-c"}


def test_pods_are_placed_by_their_node_selector(cluster: Space) -> None:
    shop = cluster.deploy("shop", replicas=2, node_selector={"topology.kubernetes.io/zone": "zone-b"})
    assert {each["spec"]["nodeName"] for each in shop.pods()} == {"node-b"}


def test_pods_of_a_dual_stack_service_answer_in_both_families(cluster: Space) -> None:
    shop = cluster.deploy("shop", service={"ipFamilyPolicy": "RequireDualStack"})
    eventually(lambda: len(shop.ready_addresses("IPv6")) == 1)
    [address] = shop.ready_addresses("IPv6")
    assert ask(address)["podIP"] == address


def test_a_pod_is_made_unready(cluster: Space) -> None:
    shop = cluster.deploy("shop")
    shop.annotate_pods(ready="false")
    shop.until_ready(0)
    shop.annotate_pods(ready="true")
    shop.until_ready(1)


def test_a_deleted_pod_serves_through_its_grace_period(cluster: Space) -> None:
    shop = cluster.deploy("shop", annotations={"fake-kubelet/grace": "30s"})
    [address] = shop.ready_addresses()
    [name] = shop.pod_names()
    shop.delete_pod(name)
    eventually(lambda: address not in shop.ready_addresses())
    states = [each for piece in shop.slices() for each in piece["endpoints"] if each["addresses"] == [address]]
    assert [(each["conditions"]["serving"], each["conditions"]["terminating"]) for each in states] == [(True, True)]
    assert ask(address)["pod"] == name
    shop.delete_pod(name, grace=0)
    eventually(lambda: not listens(address))


def test_a_deleted_pod_can_close_its_listener_and_finish_what_it_does(cluster: Space) -> None:
    shop = cluster.deploy("shop", env={"FAKE_ON_TERM": "close"}, annotations={"fake-kubelet/grace": "30s"})
    [address] = shop.ready_addresses()
    [name] = shop.pod_names()
    idle = http.client.HTTPConnection(address, PORT, timeout=10)
    idle.request("GET", "/")
    idle.getresponse().read()
    busy = http.client.HTTPConnection(address, PORT, timeout=10)
    busy.request("GET", "/?delay=3s", headers={"X-Id": "busy"})
    eventually(lambda: cluster.seen() == {"busy": [name]})
    shop.delete_pod(name)
    eventually(lambda: not listens(address))
    assert idle.sock.recv(1) == b"", "the idle connection closes"
    assert json.loads(busy.getresponse().read())["pod"] == name
    eventually(lambda: name not in {each["metadata"]["name"] for each in shop.pods()})
    idle.close()
    busy.close()


def test_requests_with_an_id_are_counted(cluster: Space) -> None:
    shop = cluster.deploy("shop")
    [address] = shop.ready_addresses()
    [name] = shop.pod_names()
    for number in (1, 2, 2):
        ask(address, method="POST", headers={"X-Id": str(number)})
    ask(address)
    assert cluster.seen() == {"1": [name], "2": [name, name]}


def test_load_counts_what_is_answered_and_what_is_lost(cluster: Space) -> None:
    shop = cluster.deploy("shop", env={"FAKE_ON_TERM": "die"})
    [address] = shop.ready_addresses()
    [name] = shop.pod_names()
    with Load((address, PORT), "shop.example", connections=4) as load:
        load.flows_on(50)
        assert load.failures == []
        shop.delete_pod(name)
        eventually(lambda: len(load.failures) >= 4)
    seen = cluster.seen()
    assert load.answered.total() <= len(seen) <= load.answered.total() + len(load.failures)
    assert min(load.answered["GET"], load.answered["POST"]) > 0
    assert run_twice(seen) == {}
    assert run_twice({"POST-1-1": ["a", "b"], "GET-1-2": ["a", "b"]}) == {"POST-1-1": ["a", "b"]}


def test_a_load_balancer_has_an_address(cluster: Space) -> None:
    def status() -> list[dict[str, str]]:
        found = cluster.read("Service", "lb")
        assert found
        listed = found["status"]["loadBalancer"].get("ingress", [])
        return [{key: value for key, value in each.items() if key != "ipMode"} for each in listed]

    cluster.apply(objects.service_of("lb", type="LoadBalancer"))
    eventually(lambda: len(status()) == 1 and status()[0]["ip"].startswith("192.0.2."))
    change = {"metadata": {"annotations": {"fake-kubelet/load-balancer": "192.0.2.251,lb.example"}}}
    cluster.patch("Service", "lb", change)
    eventually(lambda: status() == [{"ip": "192.0.2.251"}, {"hostname": "lb.example"}])
    cluster.patch("Service", "lb", {"metadata": {"annotations": {"fake-kubelet/load-balancer": "none"}}})
    eventually(lambda: status() == [])


def test_kubectl_and_the_api_show_the_same(cluster: Space) -> None:
    cluster.ingress("web", manifests.Rule("shop", host="shop.example"))
    assert cluster.kubectl("get", "ingress", "web", "-o", "jsonpath={.spec.rules[0].host}").stdout == "shop.example"
    cluster.delete("Ingress", "web")
    assert cluster.read("Ingress", "web") is None
    with pytest.raises(AssertionError, match="not found"):
        cluster.kubectl("get", "ingress", "web")


def test_an_account_may_do_what_its_roles_say(cluster: Space) -> None:
    account = Account(cluster)
    name = {"name": "reader"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": name, "rules": rules}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": name,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [],
    }
    account.bind([role, binding])
    eventually(lambda: account.may("list", "pods", namespace="default"))
    assert not account.may("list", "secrets", namespace="default")


def test_the_fault_proxy_stands_before_the_real_api_server(
    cluster: Space, plane: ControlPlane, fault_proxy: FaultProxy
) -> None:
    proxied = cluster.through(fault_proxy, Account(cluster).token())
    with pytest.raises(Refused) as refused:
        proxied.list("Secret")
    assert refused.value.status == 403
    assert fault_proxy.count(verb="list", resource="secrets", status=403) == 1
    admin = cluster.through(fault_proxy, plane.admin_token)
    assert cluster.namespace in {each["metadata"]["name"] for each in admin.list("Namespace")}
    for each in (proxied, admin):
        each.close()
