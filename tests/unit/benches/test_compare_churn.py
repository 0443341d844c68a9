"""Latency while routes change: changes are made in time and watched, failed requests are told, ours end the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast
from unittest.mock import Mock

import httpx
import pytest

from benches.compare import churn, steady
from benches.compare.peers import Peer
from benches.compare.peers.base import ADDED, added_path, replace
from benches.compare.scenario import Churn
from benches.compare.scenarios import SCENARIOS
from tests.support.eventually import eventually

SAID = "done=4000 failed=2 again=7 p50=50.5 p99=400.0 p999=1500.0 most=9000.0\n"
(CHURN,) = (each for each in SCENARIOS if isinstance(each, Churn))


class Changing:
    """A proxy of one route, which changes when it is told to, or not."""

    name = "proxy"

    def __init__(self, *, deaf: bool = False) -> None:
        self.asked: list[int] = []
        self.route = added_path(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                good = self.headers["Host"] == ADDED and self.path == outer.route
                self.send_response(200 if good else 404)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._deaf = deaf
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,)).start()

    def reroute(self, number: int) -> None:
        self.asked.append(number)
        if not self._deaf:
            self.route = added_path(number)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def proxy() -> Iterator[Changing]:
    with closing(Changing()) as proxy:
        yield proxy


def test_a_change_is_watched_until_it_is_live(proxy: Changing) -> None:
    with closing(churn.Changes(cast("Peer", proxy))) as changes:
        assert 0 < changes.live_seconds() < 5
        assert 0 < changes.live_seconds() < 5
    assert proxy.asked == [1, 2]


def test_a_change_that_does_not_become_live_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "LIVE_WITHIN_SECONDS", 0.05)
    with closing(Changing(deaf=True)) as proxy, closing(churn.Changes(cast("Peer", proxy))) as changes:
        changes.await_last()
        with pytest.raises(SystemExit, match="change 1 did not become live"):
            changes.live_seconds()


def test_a_change_that_is_not_taken_ends_the_run(proxy: Changing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "reroute", Mock(side_effect=httpx.ReadTimeout("too late")))
    with closing(churn.Changes(cast("Peer", proxy))) as changes, pytest.raises(SystemExit, match="was not taken"):
        changes.make()


def test_changes_are_made_at_their_rate_until_it_is_done(proxy: Changing) -> None:
    done, made = Event(), list[int]()
    with closing(churn.Changes(cast("Peer", proxy))) as changes:
        thread = Thread(target=lambda: made.append(changes.go_on(50, done)))
        began = time.monotonic()
        thread.start()
        eventually(lambda: len(proxy.asked) >= 5)
        done.set()
        thread.join()
    assert made == [len(proxy.asked)]
    assert 0 < len(proxy.asked) <= 50 * (time.monotonic() - began) + 1


def test_what_the_client_says_of_a_turn() -> None:
    assert steady.held(SAID) == steady.Held(4000, 2, 7, 50.5, 400.0, 1500.0, 9000.0)


@pytest.mark.parametrize("name", ["nginx", "fastingress"])
def test_requests_that_fail_are_told_of_others_and_end_the_run_when_they_are_ours(
    proxy: Changing, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy.name = name
    monkeypatch.setattr(churn, "OVER_SECONDS", 0.0)
    monkeypatch.setattr(churn, "CHANGES_MADE", 0.0)
    monkeypatch.setattr(steady, "run", lambda *_: SAID)
    with closing(churn.Changes(cast("Peer", proxy))) as changes:
        course = churn.Course(CHURN, cast("Peer", proxy), changes)
        if name == "fastingress":
            with pytest.raises(SystemExit, match="2 requests failed"):
                course.round(0, 500)
            return
        course.round(0, 500)
        course.round(1, 500)
    found = course.churned(500)
    assert (found.values, found.unchanged.values, course.full_rate) == ([1500.0, 1500.0], [1500.0, 1500.0], 2000)
    assert "500 requests/s, 25% of its own most; " in found.beside
    assert "4 of 8,000 failed, 14 connections made anew" in found.beside


def test_a_turn_with_too_few_changes_is_a_failure(proxy: Changing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "OVER_SECONDS", 0.0)
    monkeypatch.setattr(steady, "run", lambda *_: SAID)
    with closing(churn.Changes(cast("Peer", proxy))) as changes:
        course = churn.Course(CHURN, cast("Peer", proxy), changes)
        with pytest.raises(SystemExit, match="changes in a turn, which has to have"):
            course.round(0, 500)


def test_no_path_of_the_added_host_begins_with_another() -> None:
    paths = sorted(added_path(number) for number in range(2000))
    assert not any(after.startswith(before) for before, after in pairwise(paths))


def test_a_file_that_is_replaced_is_whole_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "watched" / "routes"
    replace(path, "one")
    old = path.open(encoding="utf-8")
    replace(path, "another")
    with old:
        assert (old.read(), path.read_text(encoding="utf-8")) == ("one", "another")
    assert [each.name for each in path.parent.iterdir()] == ["routes"]
