"""What load asks of a peer is checked before it is timed; and each kind of it truly runs, with this project alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from benches.compare import backend, certificate, kinds, load, resuming_client, work
from benches.compare.backend import Backend
from benches.compare.correct import HOST
from benches.compare.peers import PEERS, Peer
from benches.compare.peers.base import free_port
from benches.compare.peers.envoy import Envoy
from benches.compare.peers.fastingress import Fastingress
from benches.compare.peers.haproxy import HAProxy
from benches.compare.peers.nginx import Nginx
from benches.compare.scenario import HOST_PATHS, Handshakes, Load, Scenario, Site, site
from benches.compare.scenarios import SCENARIOS

LINE = {"client": "127.0.0.1", "request": {"method": "GET", "host": HOST, "uri": "/1k"}, "status": 200}


def scenario(name: str) -> Load:
    """By name, for one short round."""
    (found,) = (each for each in SCENARIOS if each.name == name)
    assert isinstance(found, Load)
    return replace(found, rounds=1, seconds=1)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of the backend of requests."""
    free = free_port()
    started: Backend = backend.web(tmp_path / "backend", free)
    yield free
    started.stop()


@pytest.mark.usefixtures("nginx")
def test_the_backend_gives_what_the_path_says(port: int) -> None:
    for path in work.LENGTHS.keys() - {"/take"}:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
        assert (answer.status_code, len(answer.content)) == (200, work.LENGTHS[path])


@pytest.mark.usefixtures("nginx")
def test_the_backend_takes_no_other_body_than_the_one_that_load_sends(port: int) -> None:
    def status(body: bytes) -> int:
        return httpx.post(f"http://127.0.0.1:{port}/take", content=body, trust_env=False).status_code

    body = b"x" * scenario("http1-post").body
    assert [status(each) for each in (body, body[1:], b"y" + body[1:], b"")] == [200, 400, 400, 400]


@contextmanager
def ready(asked: Scenario, port: int, folder: Path) -> Iterator[Fastingress]:
    """This project in front of the backend, started and checked."""
    peer = Fastingress(folder / "peer", port, certificate.issue(HOST, rsa=site(asked).rsa), asked.way, site(asked))
    try:
        peer.start()
        kinds.of(asked).check(asked, peer)
        yield peer
    finally:
        peer.stop()


@pytest.mark.usefixtures("nginx", "wrk", "h2load")
@pytest.mark.parametrize("name", ["http1-1k", "http1-256k", "http1-post-log", "http1-close", "http1-tls", "hosts-1"])
def test_requests_are_checked_and_counted(name: str, port: int, tmp_path: Path) -> None:
    asked = scenario(name)
    with ready(asked, port, tmp_path) as peer:
        (turn,) = load.measure(asked, [peer])[peer.name].turns
    assert turn.done > 10
    assert turn.cpu_microseconds > 1
    if asked.site.logged:
        assert peer.log.stat().st_size < 2**20  # it was shortened after the turn


@pytest.mark.usefixtures("nginx")
def test_hosts_that_are_not_led_to_the_backend_are_noticed(port: int, tmp_path: Path) -> None:
    asked = replace(scenario("hosts-1"), site=Site(hosts=3))
    with ready(asked, port, tmp_path) as peer, pytest.raises(SystemExit, match=r"shop-00003.*404"):
        work.check(replace(asked, site=Site(hosts=4)), peer)


@pytest.mark.parametrize("kind", [peer for peer in PEERS if not peer.is_floor and peer is not Fastingress])
def test_every_host_and_path_is_in_the_configuration(kind: type[Peer], tmp_path: Path) -> None:
    kind(tmp_path, 1, certificate.issue(HOST), "http1", Site(hosts=3)).command()
    written = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file())
    assert all(each in written for each in (*Site(hosts=3).names, *HOST_PATHS))
    assert "shop-00003" not in written


def test_the_load_asks_every_host_for_every_path() -> None:
    said = load.script(replace(scenario("hosts-1"), site=Site(hosts=2)))
    assert '{ "shop-00000.example.com", "shop-00001.example.com" }, { "/cart", "/catalogue", "/images" }' in said
    assert 'path .. "/1k"' in said
    assert load.script(scenario("http1-1k")) == ""


@pytest.mark.usefixtures("nginx", "openssl")
@pytest.mark.parametrize("name", ["tls-handshake", "tls-handshake-rsa", "tls-resumed"])
def test_handshakes_are_counted(name: str, port: int, tmp_path: Path) -> None:
    (asked,) = (each for each in SCENARIOS if each.name == name)
    assert isinstance(asked, Handshakes)
    with ready(asked, port, tmp_path) as peer:
        assert load.handshakes(asked, peer, 1)[0] > 10


class Answering:
    """A proxy that needs no backend."""

    name = "proxy"
    pid = os.getpid()
    site = Site()

    def __init__(self, port: int) -> None:
        self.backend = port
        self.ended = False

    def demand_alive(self) -> None:
        if self.ended:
            raise SystemExit("it has ended")


@pytest.mark.usefixtures("nginx")
def test_answers_that_are_not_the_backends_are_not_counted(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(times: int) -> Any:
        def drive(*given: Any, **named: Any) -> tuple[int, float]:
            del given, named
            for _ in range(times):
                httpx.get(f"http://127.0.0.1:{port}/1k", trust_env=False)
            return 5, 5.0

        return drive

    proxy = Answering(port)
    monkeypatch.setattr(load, "_drive", asked(5))
    assert load._turn(scenario("http1-1k"), cast("Peer", proxy)).done == 5
    monkeypatch.setattr(load, "_drive", asked(4))
    with pytest.raises(SystemExit, match="proxy: 5 requests were answered, and the backend was asked 4 times"):
        load._turn(scenario("http1-1k"), cast("Peer", proxy))
    proxy.ended = True
    with pytest.raises(SystemExit, match="it has ended"):
        load._turn(scenario("http1-1k"), cast("Peer", proxy))


def test_each_request_of_a_load_has_its_line_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOGGED_WITHIN_SECONDS", 0.1)
    peer = cast("Peer", SimpleNamespace(name="proxy", log=tmp_path / "log"))
    peer.log.write_text("{}\n" * 5)
    load._demand_lines(peer, 5)
    with pytest.raises(SystemExit, match="5 lines in the access log for 6 requests"):
        load._demand_lines(peer, 6)


@pytest.mark.usefixtures("nginx")
def test_a_full_handshake_is_not_taken_for_a_resumed_one(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (asked,) = (each for each in SCENARIOS if each.name == "tls-resumed")
    with ready(asked, port, tmp_path) as peer:
        monkeypatch.setattr(sys, "argv", ["client", str(peer.tls_port), "1"])
        monkeypatch.setattr(resuming_client, "CIPHER", "TLS_AES_256_GCM_SHA384")  # what OpenSSL likes best
        resuming_client.main()
        monkeypatch.setattr(resuming_client, "_ticket", lambda *_: None)
        with pytest.raises(AssertionError, match=r"found .*False.* expected .*True"):
            resuming_client.main()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("***r\n4 connections in 3 real seconds", id="one was resumed"),
        pytest.param("***\n4 connections in 3 real seconds", id="one is missing"),
        pytest.param("\n0 connections in 3 real seconds", id="nothing was done"),
    ],
)
def test_handshakes_that_are_not_all_full_end_the_run(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "run", lambda *_: said)
    peer = cast("Peer", SimpleNamespace(name="proxy", folder=tmp_path))
    with pytest.raises(SystemExit, match="no full handshakes"):
        load._full(peer, 1, 2)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        pytest.param([LINE] * 4, "4 lines", id="a line is missing"),
        pytest.param([LINE] * 6, "6 lines", id="a line is there twice"),
        pytest.param([LINE] * 4 + [{**LINE, "status": 502}], "does not say 200", id="another status"),
        pytest.param([LINE] * 4 + [{**LINE, "request": {}}], "does not say /1k, GET", id="less is said"),
    ],
)
def test_a_log_has_one_whole_line_for_each_request(
    lines: list[dict[str, Any]], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LOGGED_WITHIN_SECONDS", 0)
    monkeypatch.setattr(work, "_ask", lambda *_: None)
    log = tmp_path / "log"
    log.write_text("".join(json.dumps({**line, "agent": work.CLIENT}) + "\n" for line in lines), encoding="utf-8")
    peer = cast("Peer", SimpleNamespace(name="proxy", log=log))
    with pytest.raises(SystemExit, match=problem):
        work._check_log(scenario("http1-1k-log"), peer, httpx.Client())


def test_every_scenario_of_http1_has_one_with_the_access_log_on() -> None:
    def asked(each: Scenario) -> bool:
        return isinstance(each, Load) and each.name.startswith("http1")

    names = {each.name for each in SCENARIOS if asked(each)}
    plain = {name for name in names if not name.endswith("-log")}
    assert names == plain | {f"{name}-log" for name in plain}
    assert all(site(each).logged == each.name.endswith("-log") for each in SCENARIOS)


@pytest.mark.parametrize("kind", [Nginx, HAProxy, Envoy])
def test_a_peer_writes_a_log_only_where_the_scenario_has_one(kind: type[Peer], tmp_path: Path) -> None:
    written = []
    for name, of in (("off", Site()), ("on", Site(logged=True))):
        (tmp_path / name).mkdir()
        kind(tmp_path / name, 1, certificate.issue(HOST), "http1", of).command()
        written.append("".join(file.read_text() for file in (tmp_path / name).iterdir() if file.suffix != ".pem"))
    assert ["user_agent" in each for each in written] == [False, True]


def test_what_has_no_log_takes_no_part_where_one_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    (relay,) = (peer for peer in PEERS if peer.is_floor)
    monkeypatch.setattr(relay, "missing", lambda _: "")
    assert kinds.missing(scenario("http1-1k-log"), relay) == "it has no access log"
    assert kinds.missing(scenario("http1-1k"), relay) == ""
