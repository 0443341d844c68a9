"""Whatever the API server does, or what is between it and us: traffic goes on, and changes are live soon after.

One controller lives through all of it, under load, by way of a proxy that spoils answers. What the source alone makes
of each fault is tested in `test_source`.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.support import faults, objects
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.corner import Corner, corner
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.faults import Action
from tests.cluster.support.load import Load
from tests.cluster.support.space import Space
from tests.cluster.support.watches import Watch
from tests.support.eventually import eventually
from tests.support.manifests import Rule
from tests.support.process import command_with

ONE = "192.0.2.101"
HOST = "shop.example"
SERVED = {"ingresses", "services", "endpointslices"}
KINDS = SERVED | {"namespaces", "ingressclasses", "secrets"}
SOON = 40.0
"""Seconds that a test waits for a change: a watch that is dead without a word is noticed after 10 at most."""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def here(control_plane_at: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """A Service, and an Ingress that leads to it."""
    with corner(control_plane_at, tmp_path_factory.mktemp("faults"), "faults") as made:
        made.space.deploy("shop", replicas=2)
        made.space.ingress("web", Rule("shop", host=HOST))
        yield made


@pytest.fixture(scope="module")
def gateway(here: Corner) -> Controller:
    """The controller that lives through all of it."""
    return here.controllers.start(through=here.proxy, publish_status_address=ONE)


@contextmanager
def unharmed(here: Corner, gateway: Controller, *, lists: set[str] | None = None) -> Iterator[None]:
    """Nothing that happens inside costs a request or changes a route, and only these resources are listed anew."""
    eventually(lambda: {watch.call.resource for watch in here.proxy.watches()} >= KINDS, what="all is watched")
    routes = gateway.routes()
    before = gateway.metrics()
    here.proxy.forget_calls()
    with Load(gateway.http, HOST, connections=2, pause=0.01) as load:
        yield
        load.flows_on()
    assert load.failures == []
    eventually(lambda: gateway.routes() == routes)
    listed = {call.resource for call in here.proxy.calls(is_list=True)}
    assert listed == (lists or set())

    def counted() -> bool:
        """The page is new enough when it has the resumes or relists of this test."""
        after = gateway.metrics()
        moved = [name for name in ("relists", "resumes") if grown(after, before, name)]
        assert moved, "the page is of before"
        return {name for name in KINDS if grown(after, before, "relists", resource=name)} == listed

    eventually(counted, what="the metric of relists")


def grown(after: Any, before: Any, name: str, **labels: str) -> bool:
    return bool(
        after.sum(f"fastingress_api_{name}_total", **labels) > before.sum(f"fastingress_api_{name}_total", **labels)
    )


class Change:
    """A new Service, whose EndpointSlice the control plane makes, and an Ingress: made at once, awaited later."""

    def __init__(self, space: Space) -> None:
        self.name = f"new-{next(_numbers)}"
        self._space = space
        space.apply(objects.service_of("shop", self.name))
        space.ingress(self.name, Rule(self.name, host=f"{self.name}.example"))

    def is_live_and_leaves(self, gateway: Controller) -> None:
        """Waits until it is served and has its status; then it is deleted, and that is waited for, too."""
        host = f"{self.name}.example"
        eventually(lambda: gateway.get(host=host).status == 200, deadline=SOON, what=f"{host} is served")
        eventually(lambda: self._space.addresses(self.name) == [{"ip": ONE}], deadline=SOON)
        self._space.delete("Ingress", self.name)
        self._space.delete("Service", self.name)
        eventually(lambda: gateway.get(host=host).status == 404, deadline=SOON, what=f"{host} is gone")


# --- what resumes -------------------------------------------------------------------------------------------------


def test_all_connections_are_reset(here: Corner, gateway: Controller) -> None:
    with unharmed(here, gateway):
        here.proxy.break_connections()
        Change(here.space).is_live_and_leaves(gateway)


def test_the_api_server_is_away_and_comes_back(here: Corner, gateway: Controller) -> None:
    with unharmed(here, gateway):
        with here.proxy.away():
            change = Change(here.space)
            eventually(lambda: gateway.metric("fastingress_api_reachable") == 0)
            assert gateway.get(host=f"{change.name}.example").status == 404
            assert gateway.ask("/readyz").status == 200, "it serves what it knows"
        change.is_live_and_leaves(gateway)


def test_a_network_that_swallows_all(here: Corner, gateway: Controller) -> None:
    with unharmed(here, gateway):
        with here.proxy.silent():
            change = Change(here.space)
            eventually(lambda: gateway.metric("fastingress_api_reachable") == 0)
            assert gateway.ask("/readyz").status == 200, "it serves what it knows"
        change.is_live_and_leaves(gateway)


@pytest.mark.parametrize("happens", [Watch.reset, Watch.finish, Watch.cut, Watch.stall])
def test_all_watches_break(here: Corner, gateway: Controller, happens: Callable[[Watch], None]) -> None:
    """Watches alone: other calls go on, so that nothing but the watch itself can tell."""
    with unharmed(here, gateway):
        for watch in here.proxy.watches():
            happens(watch)
        Change(here.space).is_live_and_leaves(gateway)


def test_half_a_line_that_looks_like_a_whole_one(here: Corner, gateway: Controller) -> None:
    with unharmed(here, gateway):
        for watch in here.proxy.watches():
            watch.cut(clean=True)
        Change(here.space).is_live_and_leaves(gateway)


def test_a_line_that_is_garbage(here: Corner, gateway: Controller) -> None:
    with unharmed(here, gateway):
        for watch in here.proxy.watches():
            watch.send(b'{"type":"MODIFIED","object":{"metadata":\n')
        Change(here.space).is_live_and_leaves(gateway)


@pytest.mark.parametrize(
    "answer",
    [
        faults.Reset(),
        faults.too_many(1),
        faults.gateway_timeout(),
        faults.server_error(),
        faults.unavailable(),
        faults.Garbage(),
        faults.Answer(200, b"<html>Sign in to the hotel's network</html>", {"Content-Type": "text/html"}),
    ],
    ids=["reset", "429", "504", "500", "503", "no HTTP", "no JSON"],
)
def test_watches_that_cannot_be_opened_again(here: Corner, gateway: Controller, answer: Action) -> None:
    with unharmed(here, gateway):
        refusals = [here.proxy.fault(answer, verb="watch", resource=resource, times=2) for resource in SERVED]
        for watch in here.proxy.watches():
            watch.reset()
        Change(here.space).is_live_and_leaves(gateway)
        assert [len(each.hits) for each in refusals] == [2, 2, 2]


@pytest.mark.parametrize(
    "answer", [faults.Stall(), faults.too_many(1), faults.Garbage()], ids=["stall", "429", "no HTTP"]
)
def test_writes_that_fail_are_made_good(here: Corner, gateway: Controller, answer: Action) -> None:
    with unharmed(here, gateway):
        here.proxy.break_connections()
        fault = here.proxy.fault(answer, verb="patch", resource="ingresses/status", times=1)
        Change(here.space).is_live_and_leaves(gateway)
        assert len(fault.hits) == 1


# --- what has to be listed anew -----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [faults.gone(), faults.gone_in_stream()], ids=["status", "event"])
def test_versions_that_are_too_old(here: Corner, gateway: Controller, answer: Action) -> None:
    with unharmed(here, gateway, lists=SERVED):
        for resource in SERVED:
            here.proxy.fault(answer, verb="watch", resource=resource, times=1)
        for watch in here.proxy.watches():
            watch.reset()
        Change(here.space).is_live_and_leaves(gateway)
        assert here.proxy.count(is_list=True) == len(SERVED)


def test_all_versions_are_too_old_while_changes_are_made(here: Corner, gateway: Controller) -> None:
    """As after an etcd that was restored; each watch is told so while it is open."""
    with unharmed(here, gateway, lists=KINDS):
        watches = here.proxy.watches()
        for watch in watches:
            watch.stall()
        change = Change(here.space)
        for watch in watches:
            watch.expire()
        change.is_live_and_leaves(gateway)
        eventually(lambda: {call.resource for call in here.proxy.calls(is_list=True)} == KINDS)
        assert here.proxy.count(is_list=True) == len(KINDS)


# --- the start ----------------------------------------------------------------------------------------------------


def test_an_api_server_that_refuses_connections_at_the_start(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    with fault_proxy.away():
        gateway = controllers.start(through=fault_proxy, wait=False)
        eventually(lambda: "the API server does not answer" in gateway.ask("/readyz").text)
        refused = gateway.ask("/readyz")
        assert refused.status == 503
        assert gateway.ask("/healthz").status == 200, "to restart it would not help"
        gateway.errors.line("waiting for the cluster: .*refused")
        assert gateway.child.poll() is None
    gateway.until_ready()
    assert gateway.service_at(host=HOST) == "shop"


@pytest.mark.parametrize(
    "answer",
    [faults.too_many(1), faults.server_error(), faults.Garbage()],
    ids=["429", "500", "no HTTP"],
)
def test_lists_that_fail_at_the_start(
    here: Corner, controllers: Controllers, fault_proxy: FaultProxy, answer: Action
) -> None:
    """Streaming or not; and nothing is served of what is known only in part."""
    failing = [fault_proxy.fault(answer, is_list=True, resource=resource, times=3) for resource in SERVED]
    gateway = controllers.start(through=fault_proxy, controller_class=here.space.controller_class)
    assert gateway.service_at(host=HOST) == "shop"
    assert [len(each.hits) for each in failing] == [3, 3, 3]


def test_a_server_that_knows_no_streaming_lists(
    here: Corner, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    old = fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    gateway = controllers.start(through=fault_proxy, controller_class=here.space.controller_class)
    assert gateway.service_at(host=HOST) == "shop"
    assert fault_proxy.count(verb="list", is_list=True, resource="ingresses") == 1
    tried = len(old.hits)
    # An outage and a version that is too old: it is remembered that this server is listed in pages.
    fault_proxy.fault(faults.gone(), verb="watch", resource="ingresses", times=1)
    fault_proxy.break_connections()
    eventually(lambda: fault_proxy.count(verb="list", is_list=True, resource="ingresses", status=200) == 2)
    assert len(old.hits) == tried
    assert gateway.service_at(host=HOST) == "shop"


def test_null_in_place_of_items_is_an_empty_list(
    cluster: Space, controllers: Controllers, fault_proxy: FaultProxy
) -> None:
    """That is how Go programs write one; a controller of such a server starts, and follows what comes."""
    fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    nulls = fault_proxy.fault(faults.NullItems(), verb="list", is_list=True)
    gateway = controllers.start(through=fault_proxy, publish_status_address=ONE)
    assert {call.resource for call in nulls.hits} >= KINDS
    assert gateway.routes() == []
    # Of what there was it knows nothing, the class neither: all that it serves has come since.
    cluster.delete("IngressClass", cluster.class_name)
    cluster.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": cluster.class_name},
            "spec": {"controller": cluster.controller_class},
        }
    )
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host=HOST))
    gateway.until_routed(HOST)
    eventually(lambda: cluster.addresses("web") == [{"ip": ONE}])


# --- credentials that are none ------------------------------------------------------------------------------------


def config(**changes: object) -> str:
    """A kubeconfig with these fields in place of its own."""
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "test", "user": {"token": "x"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    return yaml.safe_dump({**made, **changes})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clusters: [", "not YAML"),
        ("\x00\x01", "not YAML"),
        ("just words", "no kubeconfig"),
        (config(clusters=None, contexts=None), "no context"),
        (config(**{"current-context": "elsewhere"}), "elsewhere"),
        (
            config(users=[{"name": "test", "user": {"exec": {"command": "/nowhere/plugin"}}}]),
            "exec: command and apiVersion",
        ),
        (None, "no such file"),
    ],
    ids=["cut", "binary", "words", "no clusters", "no such context", "no such plugin", "no file"],
)
def test_a_kubeconfig_that_cannot_be_used_ends_the_start(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "broken-kubeconfig"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    command = command_with(kubeconfig=path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert f"--kubeconfig: {path}: " in line
    assert re.search(words, line), line
