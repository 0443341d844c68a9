from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.api import ApiError, Unreachable
from fastingress.sources.cluster.backoff import Backoff
from fastingress.sources.cluster.recovery import Recovery
from fastingress.sources.cluster.timing import ORDINARY
from fastingress.sources.cluster.transport import Refused
from fastingress.sources.cluster.wire import Garbage


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(status: int, retry_after: float | None = None) -> ApiError:
    return ApiError("GET", "/things", status, retry_after=retry_after)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recovery(clock: Clock) -> Recovery:
    return Recovery(ORDINARY, clock, lambda: 1.0)


@settings(deadline=None)
@given(chances=st.lists(st.floats(0, 1), min_size=1, max_size=40), most=st.floats(0.1, 100))
def test_waits_grow_and_stay_within_half_and_all_of_their_bound(chances: list[float], most: float) -> None:
    source: Iterator[float] = iter(chances)
    backoff = Backoff(lambda: next(source), first=0.1)
    for attempt in range(len(chances)):
        bound = min(most, 0.1 * 2.0**attempt)
        assert bound / 2 <= backoff.wait(most) <= bound


def test_two_who_wait_do_not_wait_the_same() -> None:
    assert Backoff(lambda: 0.2).wait(10.0) != Backoff(lambda: 0.9).wait(10.0)


def test_refused_connections_wait_a_second_at_most_and_others_ten(recovery: Recovery) -> None:
    assert max(recovery.wait_for(Refused("no")) for _ in range(30)) == 1.0
    assert max(recovery.wait_for(Unreachable("no")) for _ in range(30)) == 10.0
    recovery.works()
    assert recovery.wait_for(Unreachable("no")) <= 0.1


def test_who_is_denied_asks_again_soon_at_first_and_in_half_a_minute_in_the_end(recovery: Recovery) -> None:
    waits = [recovery.wait_for(said(403)) for _ in range(20)]
    assert waits[0] <= 0.1, "a server that has just begun refuses what it will allow in a moment"
    assert 15 <= waits[-1] <= 30


def test_who_is_not_known_asks_again_within_seconds(recovery: Recovery) -> None:
    """A token may be replaced at any time."""
    assert max(recovery.wait_for(said(401)) for _ in range(20)) <= 10


def test_the_server_may_ask_for_more_patience_but_not_for_less(recovery: Recovery) -> None:
    assert 7.0 <= recovery.wait_for(said(429, 7.0)) < 8.0
    for _ in range(20):
        recovery.wait_for(said(500))
    assert recovery.wait_for(said(429, 1.0)) == 10.0


@pytest.mark.parametrize("failure", [said(500), said(503), said(429), said(403), Unreachable("no"), Refused("no")])
def test_a_server_that_is_unwell_for_long_makes_nobody_list(
    clock: Clock, recovery: Recovery, failure: Exception
) -> None:
    for _ in range(100):
        clock.now += 10.0
        assert recovery.must_list(failure, in_stream=False) == ""


def test_a_version_that_is_gone_or_not_taken_makes_us_list(recovery: Recovery) -> None:
    assert recovery.must_list(said(410), in_stream=False) == "gone"
    assert recovery.must_list(said(410), in_stream=True) == "gone"
    assert recovery.must_list(said(400), in_stream=False) == "refused"


@pytest.mark.parametrize(
    ("failure", "in_stream"), [(said(504), False), (said(500), True), (Garbage("?"), True), (Garbage("?"), False)]
)
def test_a_version_that_leads_nowhere_for_long_makes_us_list(
    clock: Clock, recovery: Recovery, failure: Exception, in_stream: bool
) -> None:
    assert recovery.must_list(failure, in_stream=in_stream) == ""
    clock.now += 25.0
    assert recovery.must_list(failure, in_stream=in_stream) == ""
    recovery.works()
    clock.now += 10.0
    assert recovery.must_list(failure, in_stream=in_stream) == ""
    clock.now += 30.0
    assert recovery.must_list(failure, in_stream=in_stream) == "stuck"


def test_a_server_that_forgets_at_once_is_not_worn_out_with_lists(clock: Clock, recovery: Recovery) -> None:
    waits = []
    for _ in range(10):
        waits.append(recovery.wait_before_list())
        recovery.listed()
        recovery.works()
        clock.now += 0.1
    assert waits[0] == 0.0
    assert waits[1:] == sorted(waits[1:])
    assert waits[-1] == 10.0
    clock.now += 3600.0
    assert recovery.wait_before_list() == 0.0
