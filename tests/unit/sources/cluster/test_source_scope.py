"""Which namespaces are watched, live; and the objects beside them that flags ask for."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.sources.cluster.watching import watching
from tests.unit.sources.cluster.world import World


def namespaces(world: World, *names: str) -> None:
    """Each with an Ingress and a Service; those whose names begin with a `t` have the label `team=a`."""
    for name in names:
        label(world, name, "a" if name.startswith("t") else "b")
        world.put("Ingress", name, "web", spec={})
        world.put("Service", name, "web", spec={"ports": [{"port": 80}]})


def label(world: World, name: str, team: str) -> None:
    world.put("Namespace", "", name, labels={"team": team}, status={"phase": "Active"})


def test_all_namespaces() -> None:
    async def test() -> None:
        world = World()
        namespaces(world, "shop", "blog")
        async with watching(world) as it:
            await it.settle()
            assert it.names("Ingress") == ["blog/web", "shop/web"]
            assert it.names("Namespace") == ["blog", "shop"]
            assert {count for (verb, _), count in world.asked.items() if verb == "watch"} == {1}

    asyncio.run(test())


def test_only_the_listed_namespaces() -> None:
    async def test() -> None:
        world = World()
        namespaces(world, "shop", "blog", "other")
        async with watching(world, namespaces=("shop", "blog")) as it:
            await it.settle()
            assert it.names("Ingress") == it.names("Service") == ["blog/web", "shop/web"]
            assert it.names("Namespace") == ["blog", "shop"]
            world.put("Ingress", "other", "new", spec={})
            world.put("Ingress", "shop", "new", spec={})
            await it.until(lambda: "shop/new" in it.names("Ingress"))
            assert it.names("Ingress") == ["blog/web", "shop/new", "shop/web"]

    asyncio.run(test())


def test_a_listed_namespace_that_is_being_deleted_is_seen() -> None:
    async def test() -> None:
        world = World()
        namespaces(world, "shop")
        async with watching(world, namespaces=("shop",)) as it:
            await it.settle()
            world.put("Namespace", "", "shop", status={"phase": "Terminating"})
            await it.until(lambda: it.store.view().list("Namespace")[0].is_leaving)

    asyncio.run(test())


def test_namespaces_that_match_come_and_go_with_their_objects() -> None:
    async def test() -> None:
        world = World()
        namespaces(world, "team-a", "team-b", "other")
        async with watching(world, namespace_selector="team=a") as it:
            await it.settle()
            assert it.names("Ingress") == it.names("Service") == ["team-a/web", "team-b/web"]
            assert it.names("Namespace") == ["team-a", "team-b"]

            label(world, "other", "a")
            await it.until(lambda: "other/web" in it.names("Ingress") and "other/web" in it.names("Service"))

            label(world, "team-b", "b")
            await it.until(lambda: "team-b" not in it.names("Namespace"))
            assert it.names("Ingress") == it.names("Service") == ["other/web", "team-a/web"]

            world.put("Ingress", "team-b", "unseen", spec={})
            world.delete("Namespace", "", "other")
            await it.until(lambda: "other" not in it.names("Namespace"))
            assert it.names("Ingress") == it.names("Service") == ["team-a/web"]

            label(world, "team-b", "a")
            await it.until(lambda: it.names("Ingress") == ["team-a/web", "team-b/unseen", "team-b/web"])

    asyncio.run(test())


def test_a_selector_that_may_not_list_namespaces_says_so() -> None:
    async def test() -> None:
        world = World()
        world.denied = {("list", "namespaces"), ("watch", "namespaces")}
        async with watching(world, namespace_selector="team=a") as it:
            await it.blocked("cannot list, watch namespaces: needed by --watch-namespace-selector")

    asyncio.run(test())


def test_the_published_service_is_followed_wherever_it_is() -> None:
    async def test() -> None:
        for scope in ({}, {"namespaces": ("shop",)}, {"namespace_selector": "team=a"}):
            world = World()
            namespaces(world, "shop")
            world.put("Service", "ingress", "front", spec={"type": "LoadBalancer"})
            world.put("Service", "ingress", "other", spec={})
            async with watching(world, publish_service="ingress/front", **scope) as it:
                await it.settle()
                assert "ingress/front" in it.names("Service")
                assert ("ingress/other" in it.names("Service")) == (not scope)

    asyncio.run(test())


def test_the_published_service_stays_when_its_namespace_does_not_match_any_more() -> None:
    async def test() -> None:
        world = World()
        namespaces(world, "team-a")
        async with watching(world, publish_service="team-a/web", namespace_selector="team=a") as it:
            await it.settle()
            label(world, "team-a", "b")
            await it.until(lambda: it.names("Ingress") == [])
            assert it.names("Service") == ["team-a/web"]
            world.delete("Service", "team-a", "web")
            await it.until(lambda: it.names("Service") == [])

    asyncio.run(test())


def test_nodes_and_pods_only_when_they_are_asked_for() -> None:
    async def test() -> None:
        world = World()
        for node in ("node-1", "node-2"):
            world.put("Node", "", node, labels={"topology.kubernetes.io/zone": "z"})
        world.put("Pod", "ingress", "fastingress-1", spec={"nodeName": "node-1"})
        world.put("Pod", "shop", "web-1", spec={"nodeName": "node-1"})
        cases: list[tuple[dict[str, Any], list[str], list[str]]] = [
            ({}, [], []),
            ({"zone": True, "own_node": "node-2"}, ["node-2"], []),
            ({"nodes": True, "zone": True, "own_node": "node-2"}, ["node-1", "node-2"], ["ingress/fastingress-1"]),
        ]
        for options, nodes, pods in cases:
            async with watching(world, **options) as it:
                await it.settle()
                assert (it.names("Node"), it.names("Pod")) == (nodes, pods)
            world.asked.clear()

    asyncio.run(test())
