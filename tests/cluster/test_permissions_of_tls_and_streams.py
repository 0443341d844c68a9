"""What TLS and streams make a controller read: the printed permissions suffice, and what is missing is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.support.controller import Controllers
from tests.cluster.support.edge import OPEN, Edge
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.cluster.support.streams import is_open
from tests.cluster.test_permissions import bound, granted, without
from tests.support.certificates import Authority
from tests.support.eventually import eventually

SCOPES: dict[str, Callable[[Space], dict[str, Any]]] = {
    "cluster-wide": lambda space: {},
    "namespace": lambda space: {"watch_namespace": space.namespace},
    "selector": lambda space: {"watch_namespace_selector": f"kubernetes.io/metadata.name={space.namespace}"},
}


@pytest.fixture
def edge(cluster: Space, authority: Authority, tmp_path: Path) -> Edge:
    return Edge(cluster, authority, tmp_path)


def printed(edge: Edge, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The roles for these options; where Secrets are granted by name, with those of Ingresses."""
    is_named = options["secret_access"] == "named"
    names = [f"--secret={edge.space.namespace}/{name}" for name in edge.secrets if is_named]
    return granted(edge.space, options, *names)


@pytest.mark.parametrize("access", ["watch", "named"])
@pytest.mark.parametrize("scope", SCOPES)
def test_the_printed_permissions_suffice_for_all_that_is_read(
    edge: Edge, controllers: Controllers, fault_proxy: FaultProxy, scope: str, access: str
) -> None:
    options = {**SCOPES[scope](edge.space), **edge.options, "secret_access": access}
    with edge.made():
        account = bound(edge.space, printed(edge, options))
        gateway = controllers.start(account=account, through=fault_proxy, shutdown_delay="0s", **options)
        edge.until_served(gateway)
        edge.until_followed(gateway)
        assert [each["message"] for each in gateway.problems()] == []
        assert gateway.stop() == 0
    assert fault_proxy.calls(status=403) == []
    assert fault_proxy.calls(status=401) == []
    assert "cannot " not in gateway.log


def test_what_flags_name_and_nobody_granted_is_named_and_the_rest_serves(edge: Edge, controllers: Controllers) -> None:
    options = {"watch_namespace": edge.space.namespace, **edge.options}
    roles = granted(edge.space, options)
    for role in roles:
        if role["metadata"].get("namespace") == edge.namespace and "rules" in role:
            role["rules"] = []
    with edge.made():
        account = bound(edge.space, without(roles))
        gateway = controllers.start(account=account, **options)
        there = f"in namespace {edge.namespace}"
        for line in (
            f"cannot get, watch configmaps tcp {there}: without it",
            f"cannot get, watch configmaps udp {there}: without it",
            f"cannot watch secrets tickets {there}: needed by a flag that names a Secret outside",
        ):
            eventually(lambda: line in gateway.log, what=line)  # noqa: B023
        assert gateway.get(host=OPEN).status == 308
        assert not is_open(edge.tcp)
