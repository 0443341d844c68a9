"""The cluster source sees all that changes, whatever becomes of its connections, and lists anew only when it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastingress.sources.cluster.source import ClusterOptions
from tests.cluster.support import faults
from tests.cluster.support.account import write_kubeconfig
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.faults import Action
from tests.cluster.support.space import Space
from tests.cluster.support.watches import Watch
from tests.cluster.support.watching import Watching
from tests.support.eventually import eventually
from tests.support.manifests import Rule

SOON = 12.0
"""Seconds that a test waits for a change: a watch that is dead without a word is noticed after 10 at most."""
KINDS = ("ingresses", "services", "endpointslices", "namespaces", "ingressclasses", "secrets")


@pytest.fixture
def source(cluster: Space, fault_proxy: FaultProxy, plane: ControlPlane, tmp_path: Path) -> Watching:
    """A source by way of the fault proxy; not started."""
    config = write_kubeconfig(tmp_path / "kubeconfig", fault_proxy.address, plane.ca, {"token": plane.admin_token})
    return Watching(config, ClusterOptions(own_namespace=cluster.namespace))


@pytest.fixture
def watching(source: Watching, fault_proxy: FaultProxy) -> Iterator[Watching]:
    """The source, settled and with all its watches open."""
    with source:
        eventually(lambda: {watch.call.resource for watch in fault_proxy.watches()} >= set(KINDS))
        fault_proxy.forget_calls()
        yield source


def sees_changes(cluster: Space, watching: Watching) -> None:
    """An Ingress that comes and one that goes."""
    cluster.ingress("new", Rule("shop", host="new.example"))
    eventually(lambda: watching.has("Ingress", cluster.namespace, "new"), deadline=SOON)
    cluster.delete("Ingress", "new")
    eventually(lambda: not watching.has("Ingress", cluster.namespace, "new"), deadline=SOON)


@pytest.mark.parametrize("happens", [Watch.reset, Watch.finish, Watch.cut, Watch.stall])
def test_a_watch_that_breaks_goes_on_where_it_was(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy, happens: Callable[[Watch], None]
) -> None:
    for watch in fault_proxy.watches():
        happens(watch)
    sees_changes(cluster, watching)
    assert fault_proxy.calls(is_list=True) == []
    assert set(watching.counters().relists.values()) == {0}


def test_a_watch_that_is_cut_with_a_clean_end_loses_nothing(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy
) -> None:
    for watch in fault_proxy.watches(resource="ingresses"):
        watch.cut(clean=True)
    sees_changes(cluster, watching)
    assert fault_proxy.calls(is_list=True) == []


def test_an_api_server_that_was_away_is_listed_no_more(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("old", Rule("shop", host="old.example"))
    eventually(lambda: watching.has("Ingress", cluster.namespace, "old"))
    with fault_proxy.away():
        cluster.delete("Ingress", "old")
        cluster.ingress("new", Rule("shop", host="new.example"))
    eventually(lambda: watching.has("Ingress", cluster.namespace, "new"))
    eventually(lambda: not watching.has("Ingress", cluster.namespace, "old"))
    assert fault_proxy.calls(is_list=True) == []


def test_a_network_that_swallows_all_is_noticed(cluster: Space, watching: Watching, fault_proxy: FaultProxy) -> None:
    with fault_proxy.silent():
        cluster.ingress("new", Rule("shop", host="new.example"))
        eventually(lambda: not watching.counters().reachable)
    eventually(lambda: watching.has("Ingress", cluster.namespace, "new"))
    assert fault_proxy.calls(is_list=True) == []


@pytest.mark.parametrize(
    "answer",
    [faults.too_many(1), faults.gateway_timeout(), faults.server_error(), faults.Reset(), faults.Garbage()],
    ids=["429", "504", "500", "reset", "garbage"],
)
def test_a_watch_that_cannot_be_opened_is_tried_again(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy, answer: Action
) -> None:
    fault = fault_proxy.fault(answer, verb="watch", resource="ingresses", times=2)
    for watch in fault_proxy.watches(resource="ingresses"):
        watch.reset()
    sees_changes(cluster, watching)
    assert len(fault.hits) == 2
    assert fault_proxy.calls(is_list=True) == []


@pytest.mark.parametrize("answer", [faults.gone(), faults.gone_in_stream()], ids=["status", "event"])
def test_a_version_that_is_too_old_is_the_one_reason_to_list_anew(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy, answer: Action
) -> None:
    fault_proxy.fault(answer, verb="watch", resource="ingresses", times=1)
    for watch in fault_proxy.watches(resource="ingresses"):
        watch.reset()
    sees_changes(cluster, watching)
    assert {call.resource for call in fault_proxy.calls(is_list=True)} == {"ingresses"}
    assert watching.counters().relists["ingresses"] == 1


def test_what_vanished_meanwhile_is_gone_after_a_new_list(
    cluster: Space, watching: Watching, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("old", Rule("shop", host="old.example"))
    eventually(lambda: watching.has("Ingress", cluster.namespace, "old"))
    [watch] = fault_proxy.watches(resource="ingresses")
    watch.stall()
    cluster.delete("Ingress", "old")
    watch.expire()
    eventually(lambda: not watching.has("Ingress", cluster.namespace, "old"))


@pytest.mark.parametrize("answer", [faults.unprocessable(), faults.refusal(400, "BadRequest", "no such parameter")])
def test_a_server_without_streaming_lists_is_listed_in_pages(
    cluster: Space, source: Watching, fault_proxy: FaultProxy, answer: Action
) -> None:
    cluster.ingress("old", Rule("shop", host="old.example"))
    with fault_proxy.fault(answer, is_streaming_list=True), source:
        assert source.has("Ingress", cluster.namespace, "old")
        sees_changes(cluster, source)
    assert fault_proxy.count(verb="list", is_list=True, resource="ingresses") == 1


def test_a_list_with_null_in_place_of_its_items_is_empty(
    cluster: Space, source: Watching, fault_proxy: FaultProxy
) -> None:
    cluster.ingress("old", Rule("shop", host="old.example"))
    fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    fault_proxy.fault(faults.NullItems(), verb="list", is_list=True, resource="ingresses")
    with source:
        assert not source.has("Ingress", cluster.namespace, "old")
        assert source.has("Namespace", "", cluster.namespace)
        sees_changes(cluster, source)


def test_a_list_that_is_cut_short_is_asked_for_again(cluster: Space, source: Watching, fault_proxy: FaultProxy) -> None:
    cluster.ingress("old", Rule("shop", host="old.example"))
    fault_proxy.fault(faults.unprocessable(), is_streaming_list=True)
    cut = fault_proxy.fault(faults.CutBody(200), verb="list", is_list=True, resource="ingresses", times=2)
    with source:
        assert len(cut.hits) == 2
        assert source.has("Ingress", cluster.namespace, "old")
