"""Elections on virtual time: one leader at most at every instant, and one soon when the API is well."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.status.simulation import KINDS, Fate, Replica, World

DURATION, DEADLINE, RETRY = 15.0, 10.0, 2.0
SOON = RETRY + 0.2
"""A look, and the calls that follow."""


async def until_led(world: World, most: float) -> Replica:
    """The leader, once there is one; fails when that takes longer than `most` seconds."""
    began = world.loop.time()
    while not world.leaders():
        assert world.loop.time() - began <= most, "nobody leads"
        await asyncio.sleep(0.01)
    return world.leaders()[0]


def test_the_first_leader_leads_after_one_duration_and_keeps_leading() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await asyncio.sleep(DURATION - 0.1)
        assert not replica.leading
        await until_led(world, SOON)
        await asyncio.sleep(600)
        assert len(replica.heard) == 1
        assert replica.heard[0][1] is True

    world.run(test())


def test_a_lease_that_nobody_held_makes_a_leader_as_slowly_as_none() -> None:
    world = World()

    async def test() -> None:
        world.server.put_unheld()
        world.replica().start()
        await asyncio.sleep(DURATION - 0.1)
        assert not world.leaders()
        await until_led(world, SOON)

    world.run(test())


def test_a_released_lease_is_taken_at_the_next_look() -> None:
    world = World()

    async def test() -> None:
        for _ in range(3):
            world.replica().start()
        for _ in range(2):
            leader = await until_led(world, DURATION + SOON)
            await asyncio.sleep(30)
            began = world.loop.time()
            await leader.leave()
            assert not leader.leading
            other = await until_led(world, SOON)
            assert other is not leader
            assert world.loop.time() - began <= SOON

    world.run(test())


def test_a_leader_that_vanishes_is_followed_after_one_duration() -> None:
    world = World()

    async def test() -> None:
        for _ in range(2):
            world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        await asyncio.sleep(20)
        await leader.crash()
        began = world.loop.time()
        await asyncio.sleep(DEADLINE)
        assert not leader.leading
        await until_led(world, DURATION)
        assert world.loop.time() - began > DEADLINE

    world.run(test())


def test_leadership_ends_one_deadline_after_the_last_renewal_began() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        replica.line.fates = itertools.repeat(Fate("stalled"))
        last = replica.line.calls[-1][0]
        await asyncio.sleep(last + DEADLINE - 0.001 - world.loop.time())
        assert world.leaders() == [replica]
        await asyncio.sleep(0.002)
        assert world.leaders() == []
        await asyncio.sleep(6)
        assert replica.heard[-1][1] is False

    world.run(test())


def test_a_renewal_whose_answer_came_late_counts_from_its_start() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        replica.line.fates = iter([Fate("frozen", 7.5), Fate("frozen", 25.0)])
        calls = len(replica.line.calls)
        await asyncio.sleep(3)
        start = replica.line.calls[calls][0]
        await asyncio.sleep(start + 9.5 - world.loop.time())
        assert world.leaders() == [replica]
        await asyncio.sleep(0.51)
        assert world.leaders() == [], "the answer came at 7.5 s, but leadership counts from the start"
        await asyncio.sleep(30)
        assert [leading for _, leading in replica.heard] == [True, False, True]

    world.run(test())


def test_a_stalled_leader_that_comes_back_first_leads_again() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        other = world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        follower = other if leader is replica else replica
        stall = [Fate("stalled")] * 2
        follower.line.fates = iter([Fate("refused")] * 40)
        leader.line.fates = iter(stall)
        await asyncio.sleep(40)
        assert leader.leading

    world.run(test())


def test_an_answer_that_was_lost_is_found_at_the_next_look() -> None:
    fates = [Fate(), Fate("lost")]  # no lease; the creation happens, and nobody says so
    world = World(iter(fates))

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, 4 + RETRY + DURATION + SOON)
        replica.line.fates = iter([Fate("lost")])
        await asyncio.sleep(60)
        assert replica.leading
        assert len(replica.heard) == 1

    world.run(test())


def test_a_deleted_lease_never_makes_a_second_leader_and_soon_one() -> None:
    world = World()

    async def test() -> None:
        for _ in range(3):
            world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        leader.line.fates = itertools.chain([Fate("stalled")] * 3, itertools.repeat(Fate()))
        world.server.delete()
        await asyncio.sleep(DEADLINE)
        await until_led(world, DURATION + SOON)

    world.run(test())


def test_a_holder_that_someone_edited_away_is_waited_for() -> None:
    """Only its own release, and no empty field, says that a leader has ended."""
    world = World()

    async def test() -> None:
        for _ in range(2):
            world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        leader.line.fates = iter([Fate("stalled")] * 4)
        lease = world.server.lease
        assert lease is not None
        world.server.handle("PUT", {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        await asyncio.sleep(60)
        assert world.leaders()

    world.run(test())


def test_a_lease_full_of_nonsense_is_taken_in_the_end() -> None:
    world = World()

    async def test() -> None:
        world.server.put_unheld()
        assert world.server.lease is not None
        world.server.lease["spec"] = {"holderIdentity": 7, "leaseDurationSeconds": 10**12, "leaseTransitions": "x"}
        world.replica().start()
        await until_led(world, 320)

    world.run(test())


def test_a_release_that_races_with_a_write_is_made_good() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        lease = world.server.lease
        assert lease is not None
        world.server.handle("PUT", {**lease, "spec": {**lease["spec"], "leaseTransitions": 9}})
        await replica.leave()
        assert world.server.lease is not None
        assert world.server.lease["spec"]["holderIdentity"] == ""

    world.run(test())


@pytest.mark.parametrize("kind", ["refused", "stalled", "lost", "denied"])
def test_a_release_that_fails_ends_all_the_same(kind: str) -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        replica.line.fates = itertools.repeat(Fate(kind))  # type: ignore[arg-type]
        began = world.loop.time()
        await replica.leave()
        assert world.loop.time() - began <= 8.1
        assert not replica.leading

    world.run(test())


def test_a_missing_permission_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "fastingress.status")
    world = World(iter([Fate("denied")] * 20))

    async def test() -> None:
        world.replica().start()
        await asyncio.sleep(30)

    world.run(test())
    denied = [message for message in caplog.messages if "cannot" in message]
    assert len(denied) == 1
    assert "cannot get leases (coordination.k8s.io) in the namespace ingress" in denied[0]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_wall_clock_may_jump_by_an_hour_each_second(jump: float) -> None:
    world = World()

    async def test() -> None:
        for _ in range(2):
            world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        for _ in range(200):
            leader.wall_offset += jump
            await asyncio.sleep(1)
        assert leader.leading
        assert len(leader.heard) == 1

    world.run(test())


def test_a_wall_clock_that_stands_still_does_not_hide_a_renewal() -> None:
    """A write that changes nothing is none: the others would see no sign of life."""
    world = World()

    async def test() -> None:
        for _ in range(2):
            world.replica().start().wall_stands = True
        leader = await until_led(world, DURATION + SOON)
        await asyncio.sleep(200)
        assert leader.leading
        assert len(leader.heard) == 1

    world.run(test())


def test_a_short_lapse_is_told_as_an_end_and_a_new_begin() -> None:
    """What was left undone in between is caught up with only if it is told."""
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        replica.line.fates = iter([Fate("frozen", 9.5)])
        await asyncio.sleep(60)
        assert [leading for _, leading in replica.heard[:3]] == [True, False, True]
        assert replica.heard[1][0] == replica.heard[2][0], "it had ended before the answer came"

    world.run(test())


def test_a_foreign_write_costs_a_leader_no_round() -> None:
    world = World()

    async def test() -> None:
        replica = world.replica().start()
        await until_led(world, DURATION + SOON)
        lease = world.server.lease
        assert lease is not None
        world.server.handle("PUT", {**lease, "spec": {**lease["spec"], "leaseTransitions": 9}})
        calls = len(replica.line.calls)
        await asyncio.sleep(RETRY)
        (first, *_), (_, *_), (last, method) = replica.line.calls[calls : calls + 3]
        assert (method, last - first < 0.5) == ("PUT", True)

    world.run(test())


def test_who_holds_a_new_lease_and_leaves_says_nothing_about_who_led_before() -> None:
    world = World()

    async def test() -> None:
        for _ in range(3):
            world.replica().start()
        leader = await until_led(world, DURATION + SOON)
        leader.line.fates = iter([Fate("stalled")] * 4)
        world.server.delete()
        await asyncio.sleep(SOON)
        assert world.server.lease is not None
        heir = next(
            each for each in world.replicas if each.elector.identity == each.elector.holder and each is not leader
        )
        await heir.leave()
        await asyncio.sleep(60)
        assert world.leaders()

    world.run(test())


fates = st.lists(
    st.builds(Fate, st.sampled_from(KINDS), st.sampled_from([0.0, 0.05, 1.0, 3.0, 6.0, 12.0, 30.0])), max_size=120
)
happenings = st.lists(
    st.tuples(
        st.sampled_from([0.1, 1.0, 2.5, 7.0, 12.0, 20.0]),
        st.sampled_from(["wall", "wall", "delete", "crash", "leave", "unheld", "nothing"]),
        st.integers(0, 2),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(
    fates=fates,
    oversleeps=st.lists(st.sampled_from([0.0, 0.0, 1.0, 9.0, 25.0]), max_size=60),
    happenings=happenings,
    count=st.integers(2, 3),
    rates=st.tuples(*[st.sampled_from([0.97, 1.0, 1.03])] * 3),
)
def test_never_two_leaders_whatever_happens(
    fates: list[Fate],
    oversleeps: list[float],
    happenings: list[tuple[float, str, int]],
    count: int,
    rates: tuple[float, ...],
) -> None:
    world = World(iter(fates), iter(oversleeps))

    async def test() -> None:
        for number in range(count):
            world.replica(rate=rates[number]).start()
        running = list(world.replicas)
        for seconds, what, who in happenings:
            await asyncio.sleep(seconds)
            await happen(world, running, what, who % count)
        calm = next(world.fates, None) is None and next(world.oversleeps, None) is None
        await asyncio.sleep(90)  # until what is under way has ended
        await until_led(world, 60)
        leader = world.leaders()[0]
        await asyncio.sleep(60)
        if calm:
            assert world.leaders() == [leader], "the leader of a healthy API stays"

    world.run(test())


async def happen(world: World, running: list[Replica], what: str, who: int) -> None:
    """One thing that goes wrong, or right."""
    if what == "wall":
        running[who].wall_offset += 3600 if world.loop.time() % 2 < 1 else -3600
    elif what == "delete":
        world.server.delete()
    elif what == "unheld" and world.server.lease is None:
        world.server.put_unheld()
    elif what in ("crash", "leave"):
        old = running[who]
        await (old.crash() if what == "crash" else old.leave())
        running[who] = world.replica().start()


@pytest.mark.parametrize("seed", range(8))
def test_two_hours_of_trouble(seed: int) -> None:
    """Long runs, three replicas, every fault at once; then peace, and one leader that stays."""
    random = Random(seed)
    trouble = [True]

    def fates() -> Iterator[Fate]:
        while True:
            bad = trouble[0] and random.random() < 0.35
            yield Fate(random.choice(KINDS), random.choice([0.01, 0.5, 4.5, 14.0])) if bad else Fate(seconds=0.03)

    def oversleeps() -> Iterator[float]:
        while True:
            yield random.choice([8.0, 20.0]) if trouble[0] and random.random() < 0.02 else 0.0

    world = World(fates(), oversleeps())

    async def test() -> None:
        for _ in range(3):
            world.replica().start()
        running = list(world.replicas)
        while world.loop.time() < 7200:
            await asyncio.sleep(random.uniform(1, 120))
            await happen(
                world, running, random.choice(["wall", "delete", "crash", "leave", "nothing"]), random.randrange(3)
            )
        trouble[0] = False
        await asyncio.sleep(30)
        await until_led(world, 60)
        leader = world.leaders()[0]
        await asyncio.sleep(600)
        assert world.leaders() == [leader]

    world.run(test())
    assert len({name for _, name in world.led}) > 3, "leadership was hardly ever passed on"
