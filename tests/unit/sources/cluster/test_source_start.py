"""The start: what is waited for, what is not, and how what is missing is named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastingress.sources.cluster.kinds import grants
from fastingress.sources.cluster.options import ClusterOptions
from tests.unit.sources.cluster.watching import eventually, watching
from tests.unit.sources.cluster.world import World


def shop(world: World) -> None:
    """A namespace with an Ingress and all that it takes."""
    world.put("Namespace", "", "shop", status={"phase": "Active"})
    world.put("IngressClass", "", "fastingress", spec={"controller": "fastingress.io/ingress-controller"})
    world.put("Ingress", "shop", "web", spec={})
    world.put("Service", "shop", "web", spec={"ports": [{"port": 80}]})
    world.put("EndpointSlice", "shop", "web-1", addressType="IPv4", endpoints=None, ports=None)
    world.secret("shop", "tls", "of the shop")
    world.put("ConfigMap", "shop", "settings", data={"a": "b"})


def test_the_first_batch_is_all_that_is_always_watched_and_the_second_what_that_needs() -> None:
    async def test() -> None:
        world = World()
        shop(world)
        async with watching(world) as it:
            first = await it.take()
            assert not first.settled
            kinds = {"Namespace", "IngressClass", "Ingress", "Service", "EndpointSlice"}
            assert {change.object.kind for change in first.changes if hasattr(change, "object")} == kinds
            assert world.asked["watch", "secrets"] == 0, "no content is read before it is known what is needed"
            it.need("Secret/shop/tls", "Secret/shop/absent", "ConfigMap/shop/settings", "ConfigMap/shop/absent")
            second = await it.take()
            assert second.settled
            assert (it.names("Secret"), it.names("ConfigMap")) == (["shop/tls"], ["shop/settings"])
            assert it.messages() == []
            assert it.source.waiting_for() == []

            world.put("Ingress", "shop", "new", spec={})
            await it.until(lambda: "shop/new" in it.names("Ingress"))
            world.delete("Ingress", "shop", "web")
            await it.until(lambda: it.names("Ingress") == ["shop/new"])

    asyncio.run(test())


def test_an_empty_cluster_settles() -> None:
    async def test() -> None:
        async with watching(World()) as it:
            await it.settle()
            assert it.source.counters().reachable

    asyncio.run(test())


def test_what_can_be_done_without_is_named_and_holds_nothing_up() -> None:
    async def test() -> None:
        world = World()
        shop(world)
        resources = ("ingressclasses", "namespaces", "secrets", "configmaps", "nodes", "pods")
        world.denied = {(verb, resource) for verb in ("list", "watch", "get") for resource in resources}
        world.denied |= {("patch", "ingresses/status"), ("create", "leases")}
        async with watching(world, nodes=True) as it:
            await it.settle("Secret/shop/tls", "ConfigMap/shop/settings")
            await it.until(lambda: "permissions" in it.problems and "secrets" in it.problems)
            assert it.names("Ingress") == ["shop/web"]
            assert it.names("IngressClass") == ["fastingress"], "the class that may not be read is taken to be there"
            assert [problem.message.partition(":")[0] for problem in it.problems["permissions"]] == [
                "cannot list, watch ingressclasses.networking.k8s.io",
                "cannot list, watch namespaces",
                "cannot list, watch, get secrets in all namespaces",
                "cannot list, watch nodes",
                "cannot list, watch pods in namespace ingress",
                "cannot create leases.coordination.k8s.io in namespace ingress",
                "cannot patch ingresses.networking.k8s.io/status in all namespaces",
            ]
            assert (
                "cannot patch ingresses.networking.k8s.io/status in all namespaces: needed by --update-status,"
                " without it Ingresses do not show their addresses" in it.messages()
            )
            assert it.problems["configmaps shop/settings"][0].message.startswith(
                "cannot watch configmaps settings in namespace shop: without it "
            )
            assert it.problems["secrets"] == [it.problems["permissions"][2]], "one problem, though found in two ways"
            assert {problem.severity for found in it.problems.values() for problem in found} == {"warning"}

    asyncio.run(test())


@pytest.mark.parametrize(("scope", "place"), [((), "all namespaces"), (("shop",), "namespace shop")])
def test_what_cannot_be_done_without_is_waited_for_by_name(scope: tuple[str, ...], place: str) -> None:
    async def test() -> None:
        world = World()
        shop(world)
        world.denied = {("watch", "services"), ("list", "services"), ("watch", "ingressclasses")}
        async with watching(world, namespaces=scope) as it:
            await it.blocked(f"cannot list, watch services in {place}: needed always")

    asyncio.run(test())


def test_every_permission_is_asked_for_once_in_each_namespace_that_matters() -> None:
    async def test() -> None:
        world = World()
        flags: dict[str, Any] = {"namespaces": ("shop", "blog"), "publish_service": "ingress/front"}
        async with watching(world, **flags) as it:
            await it.settle()
            expected = {
                f"{verb} {grant.row.resource} {grant.namespace or '*'}/{name}"
                for grant in grants(ClusterOptions(own_namespace="ingress", **flags))
                for verb in grant.row.verbs
                for name in grant.names or ("*",)
                if grant.names or grant.row.where != "named"
            }
            await eventually(lambda: {what for verb, what in world.asked if verb == "review"} == expected)
            assert {count for (verb, _), count in world.asked.items() if verb == "review"} == {1}

    asyncio.run(test())


def test_a_bad_object_is_its_own_problem_and_its_last_good_version_stays() -> None:
    async def test() -> None:
        world = World()
        shop(world)
        async with watching(world) as it:
            world.put("Ingress", "shop", "never-good", spec={"rules": "none"})
            await it.settle()
            assert it.names("Ingress") == ["shop/web"]
            (problem,) = it.problems["ingresses shop/never-good"]
            assert (problem.code, problem.object and problem.object.name) == ("InvalidField", "never-good")

            world.put("Ingress", "shop", "web", spec={"rules": [{"host": 7}]})
            await it.until(lambda: bool(it.problems.get("ingresses shop/web")))
            assert it.names("Ingress") == ["shop/web"]

            world.put("Ingress", "shop", "web", spec={"rules": [{"host": "good"}]})
            await it.until(lambda: not it.problems["ingresses shop/web"])
            world.delete("Ingress", "shop", "never-good")
            await it.until(lambda: not it.messages())
            assert it.names("Ingress") == ["shop/web"]

    asyncio.run(test())


def test_a_server_that_stays_away_is_one_problem_and_its_return_renews_every_watch() -> None:
    async def test() -> None:
        world = World()
        shop(world)
        world.unwell = True
        now = 0.0
        async with watching(world, clock=lambda: now) as it:
            await it.settle()
            await eventually(lambda: not it.source.counters().reachable)
            now = 60.0
            await it.until(lambda: bool(it.problems.get("api server")))
            (message,) = it.messages()
            assert message.startswith("the API server does not answer, what it said last is served: GET /version")
            watches = world.asked["watch", "ingresses"]

            world.unwell = False
            await it.until(lambda: not it.messages())
            await eventually(lambda: world.asked["watch", "ingresses"] == watches + 1)
            counters = it.source.counters()
            assert counters.reachable
            assert sum(counters.relists.values()) == 0

    asyncio.run(test())


def test_a_start_that_is_given_its_permissions_late_waits_for_all_that_may_have_come_with_the_first() -> None:
    async def test() -> None:
        world = World()
        shop(world)
        world.put("IngressClass", "", "other", spec={"controller": "fastingress.io/ingress-controller"})
        resources = ("ingresses", "ingressclasses", "namespaces")
        world.denied = {(verb, resource) for verb in ("list", "watch") for resource in resources}
        async with watching(world) as it:
            starting = asyncio.create_task(it.take())
            # Each refusal doubles the wait for the next try, and chance says which of them tries first.
            await eventually(lambda: world.refused["watch", "ingressclasses"] >= 4)
            world.denied = {("list", "namespaces"), ("watch", "namespaces")}
            first = await starting
            assert not first.settled
            assert sorted(it.names("IngressClass")) == ["fastingress", "other"]
            assert it.names("Namespace") == []
            assert (await it.take()).settled

    asyncio.run(test())
