"""The API server is away for a while, under load: traffic flows as if nothing were, and what changed meanwhile is live
soon after it is back."""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.cluster.support.controller import Controller
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.load import Load
from tests.cluster.support.space import Space
from tests.support.certificates import Authority, serial_of
from tests.support.eventually import eventually
from tests.support.manifests import Rule

Start = Callable[..., Controller]
HOST = "shop.example"
CONNECTIONS = 6
AT_ONCE = 3.0
"""Seconds after the return of the API server within which all that changed meanwhile is live."""

OUTAGES: dict[str, Callable[[FaultProxy], AbstractContextManager[None]]] = {
    "refused": FaultProxy.away,
    "silent": FaultProxy.silent,
}


class Shop:
    """A Service, its Ingresses and its certificate, and changes of all of them that show on the wire."""

    def __init__(self, cluster: Space, authority: Authority) -> None:
        self._cluster = cluster
        self._authority = authority
        self._pair = authority.issue(HOST)
        self.pods = cluster.deploy("shop", replicas=2)
        cluster.apply(self._pair.secret("shop-tls"))
        cluster.ingress("web", Rule("shop", host=HOST), tls={"shop-tls": [HOST]}, annotations={"ssl-redirect": "false"})
        cluster.ingress("old", Rule("shop", host="old.example"))

    def change(self) -> None:
        """More pods, another certificate, an Ingress more and one less."""
        self._pair = self._authority.issue(HOST)
        self._cluster.apply(self._pair.secret("shop-tls"))
        self._cluster.ingress("new", Rule("shop", host="new.example"))
        self._cluster.delete("Ingress", "old")
        self.pods.scale(4)

    def is_live_at(self, gateway: Controller) -> bool:
        """Whether the gateway serves it as it is now."""
        served = [gateway.get(host=host).status == 200 for host in ("new.example", "old.example")]
        certificate = serial_shown_by(gateway, self._authority)
        asked = {str(gateway.get(host=HOST).json()["pod"]) for _ in range(30)}
        return (served, certificate, asked) == ([True, False], self._pair.serial, self.pods.pod_names())


def serial_shown_by(gateway: Controller, authority: Authority) -> int:
    with gateway.connect_tls(authority.trusting(), HOST) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        shown = client.sock.getpeercert(binary_form=True)
    assert shown
    return serial_of(shown)


class Probes:
    """What the gateway says of itself, asked as a kubelet does: over a connection of its own each time."""

    def __init__(self, gateway: Controller) -> None:
        self.said: Counter[tuple[str, int]] = Counter()
        self._gateway = gateway

    def probe(self) -> None:
        for target in ("/healthz", "/readyz"):
            self.said[target, self._gateway.ask(target).status] += 1

    def until(self, moment: float) -> None:
        """Probes until that moment has come."""

        def has_come() -> bool:
            self.probe()
            return time.monotonic() >= moment

        eventually(has_come, deadline=moment - time.monotonic() + 20, what="the time is over")


@pytest.mark.parametrize(("kind", "seconds"), [("refused", 60.0), ("silent", 15.0)])
def test_the_api_server_is_away_under_load(
    cluster: Space, controller: Start, fault_proxy: FaultProxy, authority: Authority, kind: str, seconds: float
) -> None:
    shop = Shop(cluster, authority)
    gateway = controller(through=fault_proxy, publish_status_address="192.0.2.1")
    load = Load(gateway.http, HOST, connections=CONNECTIONS, pause=0.02)
    probes = Probes(gateway)
    with load:
        load.flows_on()
        fault_proxy.forget_calls()
        with OUTAGES[kind](fault_proxy):
            began = time.monotonic()
            shop.change()
            eventually(lambda: gateway.metric("fastingress_api_reachable") == 0)
            probes.until(began + seconds)
            assert not shop.is_live_at(gateway), "what is said to be away is not"
            # The worst moment to come back: the next one to ask has just done so in vain.
            asked = fault_proxy.count(path="^/version$")
            eventually(lambda: kind == "refused" or fault_proxy.count(path="^/version$") > asked)
        eventually(lambda: shop.is_live_at(gateway), deadline=AT_ONCE, what="the changes are live")
        eventually(lambda: gateway.metric("fastingress_api_reachable") == 1)
        load.flows_on()
    assert load.failures == []
    assert probes.said.keys() == {("/healthz", 200), ("/readyz", 200)}
    assert load.connects == CONNECTIONS
    assert fault_proxy.calls(is_list=True) == []
    assert gateway.metric("fastingress_api_relists_total") == 0
