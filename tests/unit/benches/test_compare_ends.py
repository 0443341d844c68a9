"""Calls of gRPC and WebSockets: a load that did not all come back ends the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import pytest

from benches.compare import calls, client, correct, echo, load
from benches.compare.peers import Peer
from benches.compare.peers.base import FORWARDED
from benches.compare.scenario import Calls, Echo
from benches.compare.scenarios import SCENARIOS

(CALLS,) = (each for each in SCENARIOS if isinstance(each, Calls))
(ECHO,) = (each for each in SCENARIOS if isinstance(each, Echo))
WELL = """
requests: 10 total, 12 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 11 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.00KB (2048) total, 640B (640) headers (space savings 50.00%), 1.03KB (1050) data
"""


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    """One that is not running."""
    found = SimpleNamespace(name="proxy", folder=tmp_path, port_of=lambda _: 1, lacks=frozenset[str]())
    return cast("Peer", found)


def test_calls_count_when_their_messages_came(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "run", lambda *_: WELL)
    assert calls.made(CALLS, peer, 2) == (10, 5.0), "an answer of which no more than the head came is none"


@pytest.mark.parametrize(
    ("word", "other"),
    [
        pytest.param("(1050) data", "(1049) data", id="a message is missing"),
        pytest.param("0 failed", "1 failed", id="a call failed"),
        pytest.param("0 5xx", "1 5xx", id="another status"),
        pytest.param("10 succeeded", "0 succeeded", id="nothing was done"),
    ],
)
def test_calls_that_failed_end_the_run(peer: Peer, monkeypatch: pytest.MonkeyPatch, word: str, other: str) -> None:
    monkeypatch.setattr(client, "run", lambda *_: WELL.replace(word, other))
    with pytest.raises(SystemExit, match="proxy: "):
        calls.made(CALLS, peer, 2)


def test_messages_count_when_they_came_back(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "run", lambda *_: "done=10\n")
    assert echo.talked(ECHO, peer, 2) == (10, 5.0)
    monkeypatch.setattr(echo, "run", lambda *_: "done=0\n")
    with pytest.raises(SystemExit, match="the load failed"):
        echo.talked(ECHO, peer, 2)


def test_headers_that_a_backend_was_not_told_end_the_run(peer: Peer) -> None:
    told = dict.fromkeys(FORWARDED, "http") | {"Host": correct.HOST, "X-Request-ID": 32 * "0", "Accept": "*/*"}
    told |= {"X-Real-IP": "127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": correct.HOST}
    told |= {"X-Forwarded-Port": "1"}

    def lines(told: dict[str, str]) -> str:
        return "".join(f"{name.lower()}: {value}\n" for name, value in told.items())

    correct.demand_headers(peer, "websocket", lines(told))
    for name in ("Host", *FORWARDED):
        with pytest.raises(SystemExit, match="proxy: "):
            correct.demand_headers(peer, "websocket", lines({**told, name: "forged"}))


def test_what_is_not_yet_routed_is_asked_again(peer: Peer) -> None:
    attempt = Mock(side_effect=[OSError("early"), OSError("early"), "routed"])
    assert correct.once_routed(attempt, OSError, peer) == "routed"


def test_a_client_that_does_not_end_is_ended(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LATE_SECONDS", 0.2)
    with pytest.raises(client.EndlessError, match=r"sleep had 0.1 seconds to run, and goes on after 0.3"):
        client.run(peer, ["sleep", "1000"], 0.1)


@pytest.mark.parametrize(("failures", "turns"), [(0, 1), (2, 1), (3, 0)])
def test_a_turn_whose_client_does_not_end_is_taken_again(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, failures: int, turns: int
) -> None:
    peer.failure = ""
    turn = load.Turn(1, 1.0, 1.0, 0.5)
    endless = [client.EndlessError("on and on")] * failures
    monkeypatch.setattr(load, "_tried", Mock(side_effect=[*endless, turn, turn]))
    found = load.measure(replace(CALLS, rounds=1), [peer])
    assert [len(each.turns) for each in found.values()] == [1] * turns
    assert ("on and on" in peer.failure) == (turns == 0)
