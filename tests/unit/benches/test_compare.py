"""The comparison's arithmetic: ratios by round, what becomes of bounds, processor time of a whole process tree."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast
from unittest.mock import Mock

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from msgspec import structs

from benches.compare import cores, idle_client, machine, process, tables
from benches.compare.correct import HOST
from benches.compare.idle import Idled
from benches.compare.load import Loaded, Turn
from benches.compare.peers import Peer
from benches.compare.peers.base import free_port
from benches.compare.record import Record, Results, from_json, record, to_json
from benches.compare.rounds import interval, ratios
from benches.compare.scenario import Bound, Bulk, Handshakes, Idle, Load, Scenario
from benches.compare.scenarios import SCENARIOS
from benches.compare.turns import in_turn, take
from benches.compare.verdict import verdicts

VERSIONS = {"fastingress": "0.1.0", "nginx": "1.22"}


def loaded(*microseconds: float) -> Loaded:
    return Loaded(tuple(Turn(1000, 5000.0, each, 0.5) for each in microseconds))


def scenario(kind: type[Load | Handshakes | Bulk | Idle], *bounds: Bound) -> Scenario:
    """The first of its kind, with these bounds in place of its own."""
    return replace(next(each for each in SCENARIOS if isinstance(each, kind)), bounds=bounds)


def kept(scenario: Scenario, results: Results, left_out: dict[str, str] | None = None) -> Record:
    """A run of this alone."""
    seen = replace_machine(began="2026-01-01T10:00Z", ended="2026-01-01T11:00Z")
    return record(seen, VERSIONS, {scenario: results}, {scenario: left_out or {}}, {}, [])


def replace_machine(**facts: str) -> machine.Machine:
    return structs.replace(machine.seen(), **facts)


def shown(scenario: Scenario, results: Results) -> str:
    """The table of a scenario."""
    (found,) = kept(scenario, results).scenarios
    return "\n".join(tables.of_scenario(found, VERSIONS))


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios(loaded(10.0, 30.0), loaded(20.0, 30.0)) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("values", "low", "high", "confidence"),
    [
        ([3, 1, 2], 1, 3, 0.75),
        ([7, 1, 2, 3, 4, 5, 6], 1, 7, 1 - 2 / 128),
        (range(9), 1, 7, 1 - 20 / 512),
        ([5], 5, 5, 0),
    ],
)
def test_a_median_lies_between_ranks(values: Sequence[float], low: float, high: float, confidence: float) -> None:
    found = interval(values)
    assert (found.median, found.low, found.high) == (statistics.median(values), low, high)
    assert found.confidence == pytest.approx(confidence)


def test_an_interval_holds_the_median_of_all_as_often_as_it_says() -> None:
    random = Random(1)
    found = [interval([random.gauss(0, 1) for _ in range(7)]) for _ in range(2000)]
    assert sum(each.low <= 0 <= each.high for each in found) / len(found) == pytest.approx(
        found[0].confidence, abs=0.01
    )


def test_the_table_shows_median_and_interval() -> None:
    results = {"fastingress": loaded(8, 10, 12), "nginx": loaded(10, 10, 10)}
    table = shown(scenario(Load), results)
    assert "| to nginx: median (75% interval) |" in table
    assert "| fastingress 0.1.0 | 10.0 us | 1.00 (0.80 to 1.20) | 5,000; 50% of its core |" in table


def test_handshakes_are_told_from_requests() -> None:
    results = {"fastingress": loaded(400), "nginx": loaded(800)}
    table = shown(scenario(Handshakes), results)
    assert "| CPU per handshake |" in table
    assert "| fastingress 0.1.0 | 400.0 us | 0.50 |" in table


@pytest.mark.parametrize(
    ("ours", "word"),
    [
        ([8, 8, 9], "kept"),
        ([8, 9, 12], "not settled, by the median kept"),
        ([9, 12, 13], "not settled, by the median **broken by 20.0%**"),
        ([11, 12, 13], "**broken by 20.0%**"),
        ([10, 10, 10], "kept"),
    ],
)
def test_a_bound_is_judged_by_the_whole_interval_of_ratios(ours: list[float], word: str) -> None:
    results = {"fastingress": loaded(*ours * 2), "HAProxy": loaded(*[10] * 6)}
    (found,) = verdicts(scenario(Load, Bound(1.0, of="HAProxy")), results)
    assert (found.metric, found.limit, found.word) == ("CPU per request to HAProxy", "1.00", word)


def test_few_rounds_settle_nothing() -> None:
    results = {"fastingress": loaded(*[8] * 5), "HAProxy": loaded(*[10] * 5)}
    (found,) = verdicts(scenario(Load, Bound(1.0, of="HAProxy")), results)
    assert (found.figure, found.word) == ("0.80", "not settled, by the median kept")


def test_a_bound_by_itself_is_shown_in_the_unit_of_the_metric() -> None:
    idle = scenario(Idle, Bound(20 * 1024))
    (found,) = verdicts(idle, {"fastingress": Idled(1000, 0, 25 * 1024 * 1000)})
    assert (found.figure, found.limit, found.word) == ("25.0 KiB", "20.0 KiB", "**broken by 25.0%**")


def test_the_report_begins_with_the_bounds_and_ends_with_what_is_not_met() -> None:
    held = (Bound(1.0, of="nginx"), Bound(0.9, of="nginx"), Bound(1.0, of="HAProxy"))
    load = scenario(Load, *held, Bound(0.99, of="nginx", promised=False))
    text = tables.markdown(kept(load, {"fastingress": loaded(*[19] * 6), "nginx": loaded(*[20] * 6)}))
    assert text.splitlines()[2:7] == [
        "| scenario | found | at most | |",
        "|---|---|---|---|",
        f"| {load.name}: CPU per request to nginx | 0.95 | 1.00 | kept |",
        f"| {load.name}: CPU per request to nginx | 0.95 | 0.90 | **broken by 5.6%** |",
        f"| {load.name}: CPU per request to HAProxy | - | 1.00 | not measured |",
    ]
    beside = text.partition("Beside these, what should not be above others:")[2]
    assert f"| {load.name}: CPU per request to nginx | 0.95 | 0.99 | kept |" in beside
    assert text.partition("## Not met")[2].splitlines() == [
        "",
        "",
        "2 bounds are kept, 1 broken, 0 not settled, 1 not measured.",
        "",
        f"- {load.name}: CPU per request to nginx is 0.95, at most 0.90: **broken by 5.6%**",
        f"- {load.name}: CPU per request to HAProxy, at most 1.00: not measured",
    ]


def test_a_peer_that_was_not_timed_is_named_with_the_reason_in_one_line() -> None:
    load = scenario(Load)
    text = tables.markdown(kept(load, {"fastingress": loaded(19)}, {"Caddy": "found 'a',\nexpected 'b'"}))
    assert "\nCaddy is left out: found 'a', expected 'b'\n" in text


def test_a_run_is_the_same_after_it_was_kept() -> None:
    idle = scenario(Idle, Bound(4096))
    before = kept(idle, {"fastingress": Idled(1000, 0, 2048 * 1000), "nginx": Idled(1000, 0, 0)})
    after = from_json(to_json(before))
    assert after == before
    assert after.scenarios[0].peers[0].to_base is None, "there is no ratio to nothing"
    assert tables.markdown(after) == tables.markdown(before)


def test_the_machine_says_what_figures_depend_on() -> None:
    facts = machine.at_end(machine.seen(), machine.work())
    assert facts.cores >= 1
    assert facts.memory_bytes > 2**20
    assert facts.began <= facts.ended
    assert f"{facts.cores} cores" in facts.lines()[0]
    assert facts.kernel in facts.lines()[1]


def test_a_run_on_a_machine_with_other_work_says_so() -> None:
    calm = structs.replace(machine.seen(), cores=2, load_at_start=2.0, load_at_end=3.0, shared_core=False)
    assert not any("rough" in line for line in calm.lines())
    for busy in (structs.replace(calm, load_at_start=3.5), structs.replace(calm, load_at_end=3.5)):
        assert "rough" in busy.lines()[-1]


def test_work_of_others_during_a_run_is_told() -> None:
    now = machine.work()
    start = machine.Work(now.at - 1000, now.busy - 600, now.stolen - 20, now.own - 400)
    facts = structs.replace(machine.at_end(machine.seen(), start), load_at_start=0.0, load_at_end=0.0)
    assert facts.others == pytest.approx(0.2, abs=0.02)
    assert facts.stolen == pytest.approx(0.02, abs=0.002)
    assert "other work took 20" in facts.lines()[2] or "other work took 19" in facts.lines()[2]
    assert "rough" in facts.lines()[-1]


def test_what_this_process_does_is_not_the_work_of_others() -> None:
    start = machine.work()
    while machine.work().own - start.own < 0.2:
        pass
    assert machine.work().busy - start.busy >= 0.1, "it is among what the processors did"


def test_two_threads_of_one_core_are_told() -> None:
    apart = structs.replace(machine.seen(), shared_core=False)
    assert len(structs.replace(apart, shared_core=True).lines()) == len(apart.lines()) + 1


@pytest.mark.parametrize(
    ("allowed", "threads", "expected"),
    [
        pytest.param([0, 1], {}, (0, 1), id="nothing is known of them"),
        pytest.param([0, 1, 2, 3], {0: "0,2", 1: "1,3"}, (0, 1), id="a core each"),
        pytest.param([0, 1, 2, 3], {0: "0-1"}, (0, 2), id="the next is the same core"),
        pytest.param([4, 5], {4: "4-5"}, (4, 5), id="there is no other"),
        pytest.param([3], {}, (3, 3), id="one"),
    ],
)
def test_proxy_and_load_have_a_core_each_where_that_can_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: list[int],
    threads: dict[int, str],
    expected: tuple[int, int],
) -> None:
    for core, listed in threads.items():
        (tmp_path / str(core)).write_text(listed + "\n")
    monkeypatch.setattr(cores, "SIBLINGS", str(tmp_path / "{}"))
    assert cores.chosen(allowed) == expected


def test_peers_take_turns_there_and_back() -> None:
    fastingress, nginx, haproxy = (Mock() for _ in range(3))
    assert in_turn([fastingress, nginx, haproxy], 0) == [fastingress, nginx, haproxy]
    assert in_turn([fastingress, nginx, haproxy], 1) == [haproxy, nginx, fastingress]
    assert in_turn([fastingress, nginx, haproxy], 2) == [nginx, haproxy, fastingress]
    assert in_turn([fastingress, nginx, haproxy], 3) == [fastingress, haproxy, nginx]
    assert in_turn([fastingress, nginx, haproxy], 6) == [fastingress, nginx, haproxy]
    assert in_turn([], 1) == []


@pytest.mark.parametrize("error", [SystemExit("it is slow"), KeyError("it is slow")])
def test_a_peer_that_fails_has_no_more_turns_and_the_others_go_on(error: BaseException) -> None:
    took: list[str] = []

    def turn(peer: Peer) -> None:
        took.append(peer.name)
        if peer.name == "nginx":
            raise error

    peers = [cast("Peer", SimpleNamespace(name=name, failure="")) for name in ("fastingress", "nginx")]
    for _ in range(2):
        for peer in peers:
            take(peer, turn)
    assert took == ["fastingress", "nginx", "fastingress"]
    assert [bool(peer.failure) for peer in peers] == [False, True]
    assert "it is slow" in peers[1].failure


def test_an_interruption_is_not_a_peers_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        take(cast("Peer", SimpleNamespace(name="nginx", failure="")), Mock(side_effect=KeyboardInterrupt))


def test_there_is_no_part_of_nothing() -> None:
    idle = scenario(Idle, Bound(1.2, of="nginx"))
    (found,) = verdicts(idle, {"fastingress": Idled(1000, 0, 1024), "nginx": Idled(1000, 0, 0)})
    assert (found.figure, found.state) == ("inf", "broken")


def test_the_idle_client_asks_in_http2() -> None:
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    events = server.receive_data(idle_client.http2_request())
    (asked,) = (event for event in events if isinstance(event, RequestReceived))
    assert (b":authority", HOST.encode()) in asked.headers
    assert (b":path", b"/1k") in asked.headers
    assert any(isinstance(event, StreamEnded) for event in events)


def test_memory_is_what_each_connection_added() -> None:
    idle = scenario(Idle)
    results = {"fastingress": Idled(1000, 0, 2048 * 1000), "nginx": Idled(1000, 0, 1024 * 1000)}
    assert "| fastingress 0.1.0 | 2.0 KiB | 2.00 |" in shown(idle, results)
    raw = json.loads(to_json(kept(idle, results)))
    assert raw["scenarios"][0]["peers"][1]["measured"]["after_bytes"] == 1024 * 1000


def test_idle_connections_come_from_as_many_addresses_as_ports_ask_for() -> None:
    assert [idle_client.source(number) for number in (0, 4_999, 5_000)] == ["127.0.0.2", "127.0.0.2", "127.0.0.3"]


def test_the_time_of_children_and_threads_counts_also_when_they_have_ended() -> None:
    busy = "import threading\nt = threading.Thread(target=lambda: sum(range(3 * 10**6)))\nt.start()\nt.join()\n"
    tail = "print('over', flush=True)\ninput()"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy + tail!r}])\n{tail}"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "over\n"
        assert len(process.tree(child.pid)) == 2
        with_child = process.cpu_nanoseconds(child.pid)
        assert with_child > 10**7, "its thread has ended"
        assert process.memory_bytes(child.pid) > 2**20
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "over\n"
        assert len(process.tree(child.pid)) == 1
        ticks = 2 * 10**9 // os.sysconf("SC_CLK_TCK")
        assert process.cpu_nanoseconds(child.pid) > with_child - ticks, "the child has ended"
        child.stdin.close()


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports)) == len(ports)
