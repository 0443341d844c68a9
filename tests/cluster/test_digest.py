"""Replicas agree on what they serve and can show it, and how they came to it makes no difference."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.cluster.support import objects
from tests.cluster.support.controller import Controller
from tests.cluster.support.space import Space
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress

Start = Callable[..., Controller]
NOTHING = "0" * 32
"""Shown until the page of metrics is written anew, as happens every second."""


def digest_of(gateway: Controller) -> str:
    """As the metrics page shows it."""
    [found] = [labels["digest"] for name, labels, _ in gateway.metrics().samples if name == "fastingress_digest_info"]
    return found


def agree(*gateways: Controller) -> bool:
    """Whether all show one digest."""
    return len({digest_of(gateway) for gateway in gateways}) == 1


def routed(gateway: Controller, *hosts: str) -> bool:
    """Whether exactly these hosts have routes."""
    return {route["host"] for route in gateway.routes()} == set(hosts)


def test_two_replicas_show_the_same_digest_after_every_change(cluster: Space, controller: Start) -> None:
    cluster.deploy("shop")
    first, second = controller(), controller()
    eventually(lambda: agree(first, second) and digest_of(first) != NOTHING)
    empty = digest_of(first)
    cluster.ingress("web", Rule("shop", host="shop.example"))
    eventually(lambda: agree(first, second) and digest_of(first) != empty)
    cluster.delete("Ingress", "web")
    eventually(lambda: digest_of(first) == digest_of(second) == empty)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_events_ends_as_a_fresh_start(
    cluster: Space, controller: Start, authority: Authority, seed: int
) -> None:
    """Two Ingresses want the same host and path, so that the order in which they are seen could matter."""
    cluster.deploy("shop")
    cluster.deploy("cart")
    # Which of the two wins is decided by their ages: these are made at once, in this order.
    of_ours = partial(ingress, class_name=cluster.class_name)
    rivals = [of_ours(name, Rule(name, host="rival.example")) for name in ("cart", "shop")]
    cluster.apply(*rivals)
    follower = controller()
    wanted: list[Manifest] = [
        authority.issue("shop.example").secret("shop-tls"),
        objects.service_of("shop", "other-name"),
        of_ours("tls", Rule("other-name", host="shop.example"), tls={"shop-tls": ["shop.example"]}),
        of_ours("late", Rule("cart", path="/late", host="late.example")),
        of_ours("gone", Rule("cart", host="gone.example")),
        *rivals,
    ]
    chosen = random.Random(seed)
    for _ in range(2):
        for manifest in chosen.sample(wanted, len(wanted)):
            cluster.apply(manifest)
            if manifest not in rivals and chosen.random() < 0.5:
                cluster.delete(manifest["kind"], manifest["metadata"]["name"])
                cluster.apply(manifest)
    cluster.delete("Ingress", "gone")
    eventually(lambda: routed(follower, "rival.example", "shop.example", "late.example"))
    fresh = controller()
    assert routed(fresh, "rival.example", "shop.example", "late.example")
    eventually(lambda: agree(follower, fresh))


def test_the_time_from_an_event_to_the_live_table_is_counted(cluster: Space, controller: Start) -> None:
    cluster.deploy("shop")
    gateway = controller()
    before = gateway.metric("fastingress_propagation_seconds_count")
    cluster.ingress("web", Rule("shop", host="shop.example"))
    gateway.until_routed("shop.example")
    eventually(lambda: gateway.metric("fastingress_propagation_seconds_count") > before)
    count = gateway.metric("fastingress_propagation_seconds_count")
    assert gateway.metric("fastingress_propagation_seconds_bucket", le="+Inf") == count
    assert 0 < gateway.metric("fastingress_propagation_seconds_sum") < 20 * count
