from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastingress.api import ApiError, Unreachable
from fastingress.sources.cluster.heartbeat import Heartbeat
from tests.unit.publish.virtual import run


class Answers:
    """What comes of one call after the other; the last one for ever."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[float, str, float]] = []

    async def call(self, method: str, path: str, **more: Any) -> bytes:
        self.asked.append((asyncio.get_running_loop().time(), path, more["timeout"]))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome is not None:
            raise outcome
        return b"{}"


AWAY = Unreachable("GET /version: refused")


def beat(answers: Answers, seconds: float) -> tuple[Heartbeat, list[float]]:
    recovered: list[float] = []
    beats: list[Heartbeat] = []

    async def test() -> None:
        loop = asyncio.get_running_loop()
        beats.append(Heartbeat(answers, recovered=lambda: recovered.append(loop.time()), clock=loop.time))
        task = asyncio.create_task(beats[0].run())
        await asyncio.sleep(seconds)
        task.cancel()

    run(test())
    return beats[0], recovered


def test_the_first_answer_after_none_is_a_recovery() -> None:
    heartbeat, recovered = beat(Answers(None, AWAY, AWAY, None), 60.5)
    assert recovered == [3.0]
    assert (heartbeat.reachable, heartbeat.since, heartbeat.trouble) == (True, 3.0, "")


def test_while_the_server_is_away_it_asks_every_half_second() -> None:
    answers = Answers(None, AWAY, AWAY, AWAY, None)
    beat(answers, 6.0)
    assert [moment for moment, _, _ in answers.asked] == [0.0, 2.0, 2.5, 3.0, 3.5, 5.5]


def test_it_asks_every_other_second_for_what_needs_no_permission() -> None:
    answers = Answers(None)
    heartbeat, recovered = beat(answers, 9.0)
    assert [moment for moment, _, _ in answers.asked] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert answers.asked[0][1:] == ("/version", 1.5)
    assert recovered == []
    assert heartbeat.reachable


@pytest.mark.parametrize("failure", [AWAY, ApiError("GET", "/version", 503, message="no")])
def test_a_server_that_is_away_is_told_with_the_reason_and_since_when(failure: Exception) -> None:
    heartbeat, recovered = beat(Answers(None, None, failure), 9.0)
    assert (heartbeat.reachable, heartbeat.since, recovered) == (False, 4.0, [])
    assert heartbeat.trouble == str(failure)


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_server_that_refuses_us_is_there(status: int) -> None:
    heartbeat, recovered = beat(Answers(ApiError("GET", "/version", status), None), 9.0)
    assert (heartbeat.reachable, heartbeat.since, recovered) == (True, 0.0, [])
