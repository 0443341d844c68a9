"""Who we are to the API server changes while we run: tokens and authorities are replaced, and nothing is listed anew.

A controller runs as in a pod: with the account's folder in its place, in a mount namespace of its own. What is wrong
with credentials, and how that is said, is tested without a cluster.
"""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

import pytest
import trustme
import yaml

from fastingress.sources.cluster.account import FOLDER
from tests.cluster.support.account import Account, write_kubeconfig
from tests.cluster.support.api import Api, Refused
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import ELECTION, Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule

ONE = "192.0.2.101"
SOON = 40.0
"""Seconds that a test waits for what goes on after credentials were refused."""
KINDS = {"ingresses", "services", "endpointslices", "namespaces", "ingressclasses", "secrets"}
IN_A_POD = f"""
mount -t tmpfs tmpfs /var/run && mkdir -p {FOLDER} && mount --bind "$1" {FOLDER} || exit 1
shift
exec "$@"
"""
PLUGIN = """
import datetime, json, pathlib
here = pathlib.Path(__file__).parent
token = (here / "token").read_text()
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=31)
with (here / "given").open("a") as given:
    given.write(token + "\\n")
status = {"token": token, "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


class Files:
    """A folder whose files are replaced whole, as the kubelet does it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def put(self, name: str, content: str | bytes) -> None:
        """Puts a file in place by a rename."""
        part = self.folder / f".{name}.part"
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(part, self.folder / name)  # noqa: PTH105 (says plainly that it replaces)


@pytest.fixture
def account(cluster: Space, fault_proxy: FaultProxy, controllers: Controllers) -> Account:
    """May do what a controller needs. The controllers end before the proxy does."""
    cluster.deploy("shop")
    return controllers.account("--publish-status-address", ONE)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """An empty folder."""
    return Files(tmp_path / "credentials")


@pytest.fixture
def pod(
    cluster: Space, account: Account, controllers: Controllers, fault_proxy: FaultProxy, files: Files
) -> Controller:
    """A controller with the account of a pod and nothing else to go by. Its token is bound to the Secret `first`."""
    files.put("token", account.token(bound_to=bearer(cluster, "first")))
    files.put("ca.crt", cluster.plane.ca.read_bytes())
    files.put("namespace", cluster.namespace)
    host, port = fault_proxy.address
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port), "POD_NAMESPACE": ""}
    command, surroundings = controllers.command(
        environment=environment, kubeconfig=None, publish_status_address=ONE, shutdown_delay="0s"
    )
    cluster.give_back_lease(ELECTION)
    words = ["unshare", "--mount", "sh", "-c", IN_A_POD, "sh", str(files.folder), *command]
    made = controllers.run(words, surroundings)
    goes_on(cluster, made, fault_proxy, "before")
    assert cluster.read("Lease", ELECTION)["spec"]["holderIdentity"], "the namespace is that of the account"  # type: ignore[index]
    return made


def bearer(cluster: Space, name: str) -> Manifest:
    """A Secret to which tokens can be bound."""
    return cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}})


def goes_on(cluster: Space, gateway: Controller, proxy: FaultProxy, name: str) -> None:
    """What is watched is live, what is written arrives, and all watches are open."""
    cluster.ingress(name, Rule("shop", host=f"{name}.example"))
    eventually(lambda: gateway.service_at(host=f"{name}.example") == "shop", deadline=SOON, what=f"{name} is live")
    eventually(lambda: cluster.addresses(name) == [{"ip": ONE}], deadline=SOON, what=f"the status of {name}")
    eventually(lambda: {watch.call.resource for watch in proxy.watches()} >= KINDS, deadline=SOON)


def until_invalid(plane: ControlPlane, token: str) -> None:
    """Waits until the API server takes a token no more: it remembers for ten seconds that it was valid."""
    api = Api(plane.address, ssl.create_default_context(cafile=plane.ca), token)

    def is_refused() -> bool:
        try:
            api.call("GET", "/version")
        except Refused as refused:
            return refused.status == 401
        return False

    try:
        assert not is_refused()
        eventually(is_refused, deadline=SOON, what="the token has ended")
    finally:
        api.close()


def test_a_pod_whose_token_is_replaced_goes_on_when_the_old_one_ends(
    cluster: Space, account: Account, pod: Controller, fault_proxy: FaultProxy, files: Files
) -> None:
    old = (files.folder / "token").read_text(encoding="ascii")
    files.put("token", account.token(bound_to=bearer(cluster, "second")))
    fault_proxy.forget_calls()
    cluster.delete("Secret", "first")
    until_invalid(cluster.plane, old)
    fault_proxy.break_connections()
    goes_on(cluster, pod, fault_proxy, "after")
    assert fault_proxy.calls(is_list=True) == []
    fault_proxy.forget_calls()
    fault_proxy.break_connections()
    goes_on(cluster, pod, fault_proxy, "later")
    assert fault_proxy.calls(is_list=True) == []
    assert fault_proxy.calls(status=401) == [], "the new token is used from the first on"
    assert pod.metric("fastingress_api_relists") == 0


def test_a_pod_whose_authority_changes_goes_on_once_it_has_the_new_one(
    cluster: Space, pod: Controller, fault_proxy: FaultProxy, files: Files, tmp_path: Path
) -> None:
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    other.cert_pem.write_to_path(tmp_path / "other.crt")
    other.private_key_pem.write_to_path(tmp_path / "other.key")
    fault_proxy.show_certificate_of(tmp_path / "other.crt", tmp_path / "other.key")
    fault_proxy.forget_calls()
    fault_proxy.break_connections()
    eventually(lambda: pod.metric("fastingress_api_reachable") == 0, what="the new certificate is not trusted")
    assert fault_proxy.calls() == []
    assert pod.service_at(host="before.example") == "shop"
    files.put("ca.crt", (tmp_path / "other.crt").read_bytes())
    goes_on(cluster, pod, fault_proxy, "after")
    assert fault_proxy.calls(is_list=True) == []
    assert pod.metric("fastingress_api_relists") == 0


def test_a_plugin_is_asked_for_the_next_token_before_the_last_one_ends(
    cluster: Space,
    account: Account,
    controllers: Controllers,
    fault_proxy: FaultProxy,
    files: Files,
) -> None:
    first, second = (account.token(bound_to=bearer(cluster, name)) for name in ("first", "second"))
    files.put("token", first)
    files.put("plugin.py", PLUGIN)
    api_version = "client.authentication.k8s.io/v1"
    plugin = {"apiVersion": api_version, "command": sys.executable, "args": [str(files.folder / "plugin.py")]}
    config = write_kubeconfig(
        files.folder / "kubeconfig",
        fault_proxy.address,
        cluster.plane.ca,
        {"exec": {**plugin, "interactiveMode": "Never"}},
    )
    gateway = controllers.start(kubeconfig=config, publish_status_address=ONE)
    goes_on(cluster, gateway, fault_proxy, "before")
    fault_proxy.forget_calls()
    files.put("token", second)
    given = files.folder / "given"
    # Once it is asked again after it gave the new one, that one is in use.
    eventually(lambda: given.read_text(encoding="ascii").split().count(second) >= 2, deadline=SOON)
    cluster.delete("Secret", "first")
    until_invalid(cluster.plane, first)
    fault_proxy.break_connections()
    goes_on(cluster, gateway, fault_proxy, "after")
    assert fault_proxy.calls(is_list=True) == []
    assert fault_proxy.calls(status=401) == []


def test_a_context_is_chosen_by_its_name(
    cluster: Space, account: Account, controllers: Controllers, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    plane = cluster.plane
    with FaultProxy(plane.address, ca=plane.ca, ca_key=plane.ca_key) as other:
        first = write_kubeconfig(tmp_path / "a", other.address, plane.ca, {"token": "wrong"}, namespace="kube-system")
        second = write_kubeconfig(
            tmp_path / "b", fault_proxy.address, plane.ca, {"token": account.token()}, namespace=cluster.namespace
        )
        both = joined(tmp_path / "both", first=first, second=second)
        gateway = controllers.start(
            kubeconfig=both, context="second", environment={"POD_NAMESPACE": ""}, publish_status_address=ONE
        )
        goes_on(cluster, gateway, fault_proxy, "web")
        assert other.calls() == []
        assert {call.namespace for call in fault_proxy.calls(resource="leases")} == {cluster.namespace}
        assert fault_proxy.calls(status=403) == []


def joined(path: Path, **named: Path) -> Path:
    """One kubeconfig of several with a context each, named as they are here; the first is the current one."""
    whole: dict[str, object] = {"apiVersion": "v1", "kind": "Config", "current-context": next(iter(named))}
    for kind in ("clusters", "users", "contexts"):
        entries = []
        for name, each in named.items():
            [entry] = yaml.safe_load(each.read_text(encoding="utf-8"))[kind]
            if kind == "contexts":
                entry["context"] |= {"cluster": name, "user": name}
            entries.append({**entry, "name": name})
        whole[kind] = entries
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return path
