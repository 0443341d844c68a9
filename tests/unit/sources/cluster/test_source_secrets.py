"""Secrets and ConfigMaps: only what is needed is kept, and what is kept is as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from tests.unit.sources.cluster.watching import Watching, eventually, watching
from tests.unit.sources.cluster.world import World


def held(root: object) -> Iterator[str | bytes]:
    """All text and bytes that what is ours holds, however deep."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, str | bytes):
            yield item
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        elif isinstance(item, msgspec.Struct):
            waiting += [getattr(item, name) for name in item.__struct_fields__]
        elif type(item).__module__.startswith("fastingress."):
            waiting += [vars(item)] if hasattr(item, "__dict__") else []


def knows(it: Watching, text: str) -> bool:
    return any(text in (item.decode(errors="replace") if isinstance(item, bytes) else item) for item in held(vars(it)))


async def rotation(it: Watching) -> None:
    """A needed Secret changes, goes and comes again."""
    it.world.secret("shop", "tls", "rotated")
    await it.until(lambda: it.content("shop", "tls") == "rotated")
    it.world.delete("Secret", "shop", "tls")
    await it.until(lambda: it.content("shop", "tls") is None)
    it.world.secret("shop", "tls", "again")
    await it.until(lambda: it.content("shop", "tls") == "again")


@pytest.mark.parametrize("mode", ["watch", "named"])
def test_a_needed_secret_is_followed(mode: str) -> None:
    async def test() -> None:
        world = World()
        world.secret("shop", "tls", "first")
        async with watching(world, secret_access=mode) as it:
            await it.settle("Secret/shop/tls", "Secret/shop/later")
            assert it.content("shop", "tls") == "first"
            await rotation(it)
            world.secret("shop", "later", "here")
            await it.until(lambda: it.content("shop", "later") == "here")

    asyncio.run(test())


@pytest.mark.parametrize("mode", ["watch", "named"])
def test_of_others_no_content_is_kept(mode: str) -> None:
    async def test() -> None:
        world = World()
        world.secret("shop", "tls", "wanted")
        world.secret("shop", "other", "unwanted-content")
        async with watching(world, secret_access=mode) as it:
            await it.settle("Secret/shop/tls")
            world.secret("shop", "other", "unwanted-content-too")
            world.secret("shop", "bystander", "unwanted-content-as-well")
            await rotation(it)
            unwanted = ("unwanted", "dW53YW50ZW")
            assert knows(it, "again")
            assert not any(knows(it, text) for text in unwanted)
            assert knows(it, "bystander") == (mode == "watch"), "the name is kept, to know that it is there"

            it.need("Secret/shop/other")
            await it.until(lambda: it.content("shop", "other") is not None)
            assert knows(it, "unwanted")
            it.need(unneeded=("Secret/shop/other",))
            await it.until(lambda: it.content("shop", "other") is None)
            assert not any(knows(it, text) for text in unwanted)

    asyncio.run(test())


def test_a_secret_that_is_needed_later_is_fetched_once() -> None:
    async def test() -> None:
        world = World()
        world.secret("shop", "tls", "there before")
        async with watching(world) as it:
            await it.settle()
            it.need("Secret/shop/tls", "Secret/shop/absent")
            await it.until(lambda: it.content("shop", "tls") == "there before")
            it.need("Secret/shop/tls")
            await rotation(it)
            assert world.asked["get", "secrets"] == 1

    asyncio.run(test())


def test_what_the_watch_says_during_a_fetch_counts_more() -> None:
    async def test() -> None:
        world = World()
        world.secret("shop", "tls", "old")
        world.secret("shop", "gone", "old")
        async with watching(world) as it:
            await it.settle()
            world.hold.clear()
            it.need("Secret/shop/tls", "Secret/shop/gone")
            await eventually(lambda: world.asked["get", "secrets"] == 2)
            world.secret("shop", "tls", "new")
            world.delete("Secret", "shop", "gone")
            await it.until(lambda: it.content("shop", "tls") == "new")
            world.hold.set()
            world.put("Ingress", "shop", "later", spec={})
            await it.until(lambda: it.names("Ingress") == ["shop/later"])
            assert it.names("Secret") == ["shop/tls"]
            assert it.content("shop", "tls") == "new"

    asyncio.run(test())


def test_a_secret_that_may_not_be_fetched_is_named() -> None:
    async def test() -> None:
        world = World()
        world.secret("shop", "tls", "there")
        async with watching(world) as it:
            await it.settle()
            world.denied = {("get", "secrets")}
            it.need("Secret/shop/tls")
            await it.until(lambda: bool(it.problems.get("secrets shop/tls")))
            assert it.messages()[0].startswith(
                "cannot get secrets tls in namespace shop: needed by --secret-access=watch"
            )
            world.secret("shop", "tls", "rotated")
            await it.until(lambda: it.content("shop", "tls") == "rotated" and not it.messages())

    asyncio.run(test())


def test_a_secret_outside_of_the_watched_namespaces_is_followed_by_name() -> None:
    async def test() -> None:
        world = World()
        world.secret("ingress", "default", "for all hosts")
        world.secret("shop", "tls", "of the shop")
        async with watching(world, namespaces=("shop",)) as it:
            await it.settle("Secret/ingress/default", "Secret/shop/tls")
            assert it.names("Secret") == ["ingress/default", "shop/tls"]
            assert (world.asked["watch one", "secrets"], world.asked["watch", "secrets"]) == (1, 1)

    asyncio.run(test())


def test_150_secrets_by_name_are_watched_without_a_permission_to_list() -> None:
    async def test() -> None:
        world = World()
        names = [f"tls-{number:03}" for number in range(150)]
        for name in names:
            world.secret("shop", name, "first")
        world.denied = {("list", resource) for resource in ("secrets", "configmaps")}
        async with watching(world, secret_access="named") as it:
            await it.settle(*(f"Secret/shop/{name}" for name in names))
            assert len(it.names("Secret")) == 150
            assert world.asked["watch one", "secrets"] == 150

            for name in names:
                world.secret("shop", name, "second")
            await it.until(lambda: all(it.content("shop", name) == "second" for name in names))
            for name in names[:75]:
                world.delete("Secret", "shop", name)
            await it.until(lambda: len(it.names("Secret")) == 75)
            for name in names[:75]:
                world.secret("shop", name, "third")
            await it.until(lambda: all(it.content("shop", name) == "third" for name in names[:75]))

            it.need(unneeded=tuple(f"Secret/shop/{name}" for name in names[:100]))
            await it.until(lambda: len(it.names("Secret")) == 50)
            assert (world.asked["list", "secrets"], world.asked["get", "secrets"]) == (0, 0)
            assert it.messages() == []

    asyncio.run(test())


def test_a_config_map_is_followed_by_name() -> None:
    async def test() -> None:
        world = World()
        world.put("ConfigMap", "ingress", "settings", data={"a": "1"})
        async with watching(world) as it:
            await it.settle("ConfigMap/ingress/settings")
            world.put("ConfigMap", "ingress", "settings", data={"a": "2"})
            await it.until(lambda: it.store.view().list("ConfigMap")[0].data == {"a": "2"})
            it.need(unneeded=("ConfigMap/ingress/settings",))
            await it.until(lambda: it.names("ConfigMap") == [])

    asyncio.run(test())


def test_other_kinds_that_are_needed_or_not_change_nothing() -> None:
    async def test() -> None:
        world = World()
        world.put("Service", "ingress", "front", spec={})
        async with watching(world, namespaces=("shop",), publish_service="ingress/front") as it:
            await it.settle("Service/shop/web")
            it.need("IngressClass/*/*", unneeded=("Service/ingress/front",))
            world.put("Ingress", "shop", "web", spec={})
            await it.until(lambda: it.names("Ingress") == ["shop/web"])
            assert it.names("Service") == ["ingress/front"]

    asyncio.run(test())
