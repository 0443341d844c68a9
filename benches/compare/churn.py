"""Measures latency at a rate that is held while routes change, and in the same rounds while they do not."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from threading import Event

import httpx

from benches.compare import correct, progress
from benches.compare.cores import OTHER_CORE
from benches.compare.peers import Peer
from benches.compare.peers.base import ADDED, added_path
from benches.compare.scenario import UNCHANGED, Churn
from benches.compare.steady import Held, Latencies, asked
from benches.compare.turns import in_turn, take
from benches.compare.verdict import OURS

FULL_LOAD_SECONDS = 2
LOOKED_AT = 5
"""Changes that are watched until they are live."""
LIVE_WITHIN_SECONDS = 10
CHANGES_MADE = 0.9
"""The part of the changes that a turn has to have: a proxy that takes them slowly is not spared the others."""
OVER_SECONDS = 1.0
"""From a change being live to its end: an old worker still takes connections for a while, and closes them."""


@dataclass(frozen=True)
class Churned(Latencies):
    """All turns of one peer while routes change."""

    unchanged: Latencies
    rate: int
    """Requests a second."""
    full_rate: int
    """As many as it answers, of those that this client can ask for."""
    live_seconds: float
    """From a change being asked for to a request that goes there, without load."""

    @property
    def along(self) -> dict[str, Latencies]:
        """What was measured in the same rounds."""
        return {UNCHANGED: self.unchanged}

    @property
    def beside(self) -> str:
        """What else there is to know."""
        calm = statistics.median(self.unchanged.values) / 1000
        failed, done = sum(turn.failed for turn in self.turns), sum(turn.done for turn in self.turns)
        changes, again = sum(turn.changes for turn in self.turns), sum(turn.again for turn in self.turns)
        return (
            f"{self.rate:,} requests/s, {self.rate / self.full_rate:.0%} of its own most; "
            f"{calm:.1f} ms without changes; {changes:,} changes, live after {self.live_seconds * 1000:.0f} ms; "
            f"{failed:,} of {done:,} failed, {again:,} connections made anew"
        )


class Changes:
    """Of one peer: each leads another path of the added host to the backend, and none that was led there before."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._number = 0
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{peer.port}", headers={"Host": ADDED, "Connection": "close"}, trust_env=False
        )

    def make(self) -> None:
        """One more. Raises `SystemExit` when the proxy does not take it."""
        self._number += 1
        try:
            self._peer.reroute(self._number)
        except (httpx.HTTPError, OSError) as error:
            raise SystemExit(f"{self._peer.name}: change {self._number} was not taken: {error!r}") from None

    def live_seconds(self) -> float:
        """Makes one, and says how long it took. Raises `SystemExit` when it is not live in time."""
        began = time.monotonic()
        self.make()
        self.await_last()
        return time.monotonic() - began

    def await_last(self) -> None:
        """Returns when what was asked for last is so, and nothing else. Raises `SystemExit` when that takes long."""
        end = time.monotonic() + LIVE_WITHIN_SECONDS
        while [self._leads(self._number), self._leads(self._number - 1)] != [True, False]:
            if time.monotonic() > end:
                raise SystemExit(f"{self._peer.name}: change {self._number} did not become live")
            time.sleep(0.001)

    def go_on(self, per_second: int, done: Event) -> int:
        """Makes so many a second until it is done, beside the load and behind it. How many it made."""
        os.sched_setaffinity(0, {OTHER_CORE})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        began = time.monotonic()
        for made in itertools.count():
            if done.wait(max(0.0, began + made / per_second - time.monotonic())):
                return made
            self.make()
        raise AssertionError("counting ends")

    def close(self) -> None:
        """Of the client."""
        self._client.close()

    def _leads(self, number: int) -> bool:
        try:
            answer = self._client.get(added_path(number))
            return answer.status_code == 200 and bool(answer.content)  # Caddy says 200 to what leads nowhere
        except httpx.TransportError:  # what a reload does to connections is counted elsewhere
            return False


def check(scenario: Churn, peer: Peer) -> None:
    """A change becomes live, and the route that it takes away is none any more."""
    correct.check(peer, scenario.way)
    with closing(Changes(peer)) as changes:
        changes.await_last()


def measure(scenario: Churn, peers: Sequence[Peer]) -> dict[str, Churned]:
    """By name of peer, but those where a change did not become live, and us when we failed a request."""
    courses: dict[str, Course] = {}
    with ExitStack() as stack:

        def begin(peer: Peer) -> None:
            courses[peer.name] = Course(scenario, peer, stack.enter_context(closing(Changes(peer))))

        def one(peer: Peer) -> None:
            courses[peer.name].round(number, rate)

        for peer in peers:
            take(peer, begin)
        rate = min((course.full_rate for course in courses.values()), default=0) // 2
        for number in range(scenario.rounds):
            for peer in in_turn(peers, number):
                take(peer, one)
        return {peer.name: courses[peer.name].churned(rate) for peer in peers if not peer.failure}


class Course:
    """One peer, and its turns so far."""

    def __init__(self, scenario: Churn, peer: Peer, changes: Changes) -> None:
        self.peer = peer
        self._scenario = scenario
        self._changes = changes
        self._live_seconds = statistics.median(changes.live_seconds() for _ in range(LOOKED_AT))
        time.sleep(OVER_SECONDS)
        full = asked(scenario, peer, 0, FULL_LOAD_SECONDS)
        self.full_rate = full.done // FULL_LOAD_SECONDS
        """Requests a second that it answers when it is asked for as many as it can."""
        self._unchanged: list[Held] = []
        self._churned: list[Held] = []

    def round(self, number: int, rate: int) -> None:
        """A turn with changes and one without, in one order and in the other."""
        for changing in (number % 2 == 0, number % 2 == 1):
            turn = self._with_changes(rate) if changing else self._turn(rate)
            (self._churned if changing else self._unchanged).append(turn)
        both = (self._scenario.metric.text(turns[-1].p999) for turns in (self._churned, self._unchanged))
        progress.turn(self._scenario, self.peer.name, number + 1, "{}, without changes {}".format(*both))

    def churned(self, rate: int) -> Churned:
        """All of it."""
        return Churned(
            tuple(self._churned), Latencies(tuple(self._unchanged)), rate, self.full_rate, self._live_seconds
        )

    def _with_changes(self, rate: int) -> Held:
        done = Event()
        with ThreadPoolExecutor(1) as beside:
            made = beside.submit(self._changes.go_on, self._scenario.changes_per_second, done)
            try:
                turn = self._turn(rate)
            finally:
                done.set()
            turn = replace(turn, changes=made.result())
        wanted = CHANGES_MADE * self._scenario.changes_per_second * self._scenario.seconds
        if turn.changes < wanted:
            raise SystemExit(f"{self.peer.name}: {turn.changes} changes in a turn, which has to have {wanted:.0f}")
        self._changes.await_last()
        time.sleep(OVER_SECONDS)
        return turn

    def _turn(self, rate: int) -> Held:
        turn = asked(self._scenario, self.peer, rate, self._scenario.seconds)
        if turn.failed and self.peer.name == OURS:
            raise SystemExit(f"{self.peer.name}: {turn.failed} requests failed")
        return turn
