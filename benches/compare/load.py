"""Measures processor time per request, call, message, handshake or GiB under load.

Peers take turns, round after round, so that drift hits all.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benches.compare import backend, bulk, calls, client, echo, process, progress, resuming_client, work
from benches.compare.client import CIPHER, run
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.scenario import HOST_PATHS, Bulk, Calls, Echo, Handshakes, Load
from benches.compare.turns import in_turn, take

WARM_UP_SECONDS = 1
TRIES = 3
"""Of a turn."""
Driven = Load | Calls | Echo | Handshakes | Bulk
POST = """
wrk.method = "POST"
wrk.body = string.rep("x", {length})
"""
HOSTS = """
local hosts, paths, asked = {{ {} }}, {{ {} }}, {{}}
init = function()
    math.randomseed(1)
    for _, host in ipairs(hosts) do
        for _, path in ipairs(paths) do
            asked[#asked + 1] = wrk.format("GET", path .. "{answer}", {{ Host = host }})
        end
    end
end
request = function() return asked[math.random(#asked)] end
"""


@dataclass(frozen=True)
class Turn:
    """One peer, one round."""

    done: float
    """Requests, calls, messages, handshakes or GiB."""
    per_second: float
    """The same, but MiB."""
    cpu_microseconds: float
    """Of the proxy's whole process tree, for each."""
    busy: float
    """The part of the turn that this is of one core. One that idles in between pays more for each waking."""


@dataclass(frozen=True)
class Loaded:
    """All rounds of one peer."""

    turns: tuple[Turn, ...]

    @property
    def values(self) -> list[float]:
        """Microseconds of processor time for each of what was done, by round."""
        return [turn.cpu_microseconds for turn in self.turns]

    @property
    def beside(self) -> str:
        """Medians of the rate, and of how busy the core was."""
        rate, busy = (statistics.median(getattr(turn, name) for turn in self.turns) for name in ("per_second", "busy"))
        return f"{rate:,.0f}; {busy:.0%} of its core"


def measure(scenario: Driven, peers: Sequence[Peer]) -> dict[str, Loaded]:
    """By name of peer, but those that failed a request."""
    turns: dict[str, list[Turn]] = {peer.name: [] for peer in peers}

    def warm_up(peer: Peer) -> None:
        _turn(scenario, peer, warm_up=True)

    def one(peer: Peer) -> None:
        turns[peer.name].append(_turn(scenario, peer))
        progress.turn(scenario, peer.name, number + 1, scenario.metric.text(turns[peer.name][-1].cpu_microseconds))

    for peer in peers:
        take(peer, warm_up)
    for number in range(scenario.rounds):
        for peer in in_turn(peers, number):
            take(peer, one)
    return {peer.name: Loaded(tuple(turns[peer.name])) for peer in peers if not peer.failure}


def _turn(scenario: Driven, peer: Peer, *, warm_up: bool = False) -> Turn:
    """Now and then a connection of h2load asks on for ever when its time is over: that turn does not count."""
    for _ in range(TRIES - 1):
        try:
            return _tried(scenario, peer, warm_up=warm_up)
        except client.EndlessError as error:
            progress.line(f"  {peer.name} has this turn once more: {error}")
    return _tried(scenario, peer, warm_up=warm_up)


def _tried(scenario: Driven, peer: Peer, *, warm_up: bool) -> Turn:
    served = backend.served(peer.backend) if isinstance(scenario, Load) else 0
    before, began = process.cpu_nanoseconds(peer.pid), time.monotonic_ns()
    done, rate = _drive(scenario, peer, warm_up=warm_up)
    spent, took = process.cpu_nanoseconds(peer.pid) - before, time.monotonic_ns() - began
    peer.demand_alive()
    if not done:
        raise SystemExit(f"{peer.name}: nothing was answered")
    if isinstance(scenario, Load) and (behind := backend.served(peer.backend) - served - 1) < done:
        raise SystemExit(f"{peer.name}: {done} requests were answered, and the backend was asked {behind} times")
    if peer.site.logged:
        _demand_lines(peer, int(done))
        os.truncate(peer.log, 0)  # or the disk would be full of lines
    return Turn(done, rate, spent / done / 1000, spent / took)


def _demand_lines(peer: Peer, requests: int) -> None:
    """What is not written down costs nothing. The last lines may be a moment late."""
    end = time.monotonic() + work.LOGGED_WITHIN_SECONDS
    while (found := _lines(peer.log)) < requests:
        if time.monotonic() > end:
            raise SystemExit(f"{peer.name}: {found} lines in the access log for {requests} requests")
        time.sleep(0.05)


def _lines(log: Path) -> int:
    with log.open("rb") as written:
        return sum(piece.count(b"\n") for piece in iter(lambda: written.read(1 << 20), b""))


def _drive(scenario: Driven, peer: Peer, *, warm_up: bool = False) -> tuple[float, float]:
    seconds = WARM_UP_SECONDS if warm_up else scenario.seconds
    if isinstance(scenario, Bulk):
        return bulk.transfers(scenario, peer, seconds)
    if isinstance(scenario, Calls):
        return calls.made(scenario, peer, seconds)
    if isinstance(scenario, Echo):
        return echo.talked(scenario, peer, seconds)
    if isinstance(scenario, Handshakes):
        return handshakes(scenario, peer, seconds)
    return (wrk if scenario.way == "http1" else h2load)(scenario, peer, seconds)


def wrk(scenario: Load, peer: Peer, seconds: int) -> tuple[int, float]:
    """Requests of HTTP/1.1 done, and their rate."""
    command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "-H", f"Host: {HOST}"]
    command += ["-H", "Connection: close"] if scenario.closes else []
    if text := script(scenario):
        path = peer.folder / "load.lua"
        path.write_text(text, encoding="utf-8")
        command += ["-s", str(path)]
    said = run(peer, [*command, f"http://127.0.0.1:{peer.port}{scenario.path}"], seconds)
    failed = re.search(r"Socket errors:.*|Non-2xx.*", said)
    done, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s*([\d.]+)", said)
    if failed or not done or not rate:
        raise SystemExit(f"{peer.name}: the load failed:\n{said}")
    return int(done[1]), float(rate[1])


def script(scenario: Load) -> str:
    """What wrk is told beside its arguments; empty when there is no need."""
    if scenario.body:
        return POST.format(length=scenario.body)
    if not scenario.site.hosts:
        return ""
    quoted = (", ".join(f'"{each}"' for each in some) for some in (scenario.site.names, HOST_PATHS))
    return HOSTS.format(*quoted, answer=scenario.path)


def h2load(scenario: Load, peer: Peer, seconds: int) -> tuple[int, float]:
    """Requests of HTTP/2, or over TLS, done, and their rate."""
    arguments = [f"-c{scenario.connections}", f"-m{scenario.streams}", "-H", f":authority: {HOST}"]
    arguments += ["--h1"] if scenario.way == "http1-tls" else []
    scheme = "https" if scenario.way.endswith("tls") else "http"
    url = f"{scheme}://127.0.0.1:{peer.port_of(scenario.way)}{scenario.path}"
    found = client.h2load(peer, arguments, url, seconds)
    return found.done, found.per_second


def handshakes(scenario: Handshakes, peer: Peer, seconds: int) -> tuple[int, float]:
    """Handshakes of that kind done, and their rate. The clients are slower than most peers."""
    return (_resumed if scenario.resumed else _full)(peer, peer.port_of(scenario.way), seconds)


def _full(peer: Peer, port: int, seconds: int) -> tuple[int, float]:
    """The client closes as soon as it can: what comes after a handshake hardly counts. `*` stands for a full one."""
    command = ["openssl", "s_time", "-new", "-tls1_3", "-ciphersuites", CIPHER, "-time", str(seconds)]
    offered = resuming_client.environment(peer.folder)
    said = run(peer, [*command, "-connect", f"127.0.0.1:{port}"], seconds, offered)
    done = re.search(r"(\d+) connections in (\d+) real seconds", said)
    if not done or not int(done[1]) or not re.search(rf"^\*{{{done[1]}}}\s", said, re.MULTILINE):
        raise SystemExit(f"{peer.name}: no full handshakes:\n{said}")
    return int(done[1]), int(done[1]) / int(done[2])


def _resumed(peer: Peer, port: int, seconds: int) -> tuple[int, float]:
    command = [sys.executable, "-m", "benches.compare.resuming_client", str(port), str(seconds)]
    said = run(peer, command, seconds, resuming_client.environment(peer.folder))
    done = re.search(r"(\d+) resumed in ([\d.]+) seconds", said)
    if not done or not int(done[1]):
        raise SystemExit(f"{peer.name}: no handshakes:\n{said}")
    return int(done[1]), int(done[1]) / float(done[2])
