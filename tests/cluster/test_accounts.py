"""A controller works with exactly the permissions that `fastingress rbac` prints, and none of its calls is denied."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.eventually import eventually
from tests.support.manifests import Rule


def test_the_printed_permissions_suffice(
    cluster: Space, controllers: Controllers, controller: Callable[..., Controller], fault_proxy: FaultProxy
) -> None:
    cluster.deploy("shop")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    account = controllers.account("--publish-status-address", "192.0.2.1")
    gateway = controller(account=account, through=fault_proxy, publish_status_address="192.0.2.1")
    assert gateway.service_at(host="shop.example") == "shop"
    eventually(lambda: cluster.addresses("web") == [{"ip": "192.0.2.1"}])
    assert fault_proxy.calls(status=403) == []


def test_a_missing_permission_is_a_denied_call(
    cluster: Space, controllers: Controllers, controller: Callable[..., Controller], fault_proxy: FaultProxy
) -> None:
    """What the test above relies on: the account may do no more than was printed for its flags."""
    cluster.ingress("web", Rule("shop", host="shop.example"))
    controller(account=controllers.account(), through=fault_proxy, publish_status_address="192.0.2.1")
    eventually(lambda: fault_proxy.calls(status=403, verb="patch", resource="ingresses/status"))
    assert cluster.addresses("web") == []
