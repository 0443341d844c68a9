"""The comparison's arithmetic: ratios by round, processor time of a whole process tree."""

from __future__ import annotations

import json
import subprocess
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

from benches.compare import idle_client, process, report
from benches.compare.correct import HOST
from benches.compare.idle import Idled
from benches.compare.load import Loaded, Turn
from benches.compare.scenarios import SCENARIOS, Handshakes, Idle, Load
from tests.support.eventually import eventually

VERSIONS = {"fastingress": "0.1.0", "nginx": "1.22"}


def loaded(*microseconds: float) -> Loaded:
    return Loaded(tuple(Turn(1000, 5000.0, each) for each in microseconds))


def test_ratios_are_taken_round_by_round() -> None:
    assert loaded(10.0, 30.0).ratios_to(loaded(20.0, 30.0)) == [0.5, 1.0]


def test_the_table_shows_median_and_spread() -> None:
    scenario = next(each for each in SCENARIOS if isinstance(each, Load))
    table = report.markdown(scenario, {"fastingress": loaded(8, 10, 12), "nginx": loaded(10, 10, 10)}, VERSIONS)
    assert "| fastingress 0.1.0 | 10.0 us | 1.00 (0.80 to 1.20) | 5,000 |" in table


def test_handshakes_are_told_from_requests() -> None:
    scenario = next(each for each in SCENARIOS if isinstance(each, Handshakes))
    table = report.markdown(scenario, {"fastingress": loaded(400), "nginx": loaded(800)}, VERSIONS)
    assert "| CPU per handshake |" in table
    assert "| fastingress 0.1.0 | 400.0 us | 0.50 (0.50 to 0.50) |" in table


def test_the_idle_client_asks_in_http2() -> None:
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    events = server.receive_data(idle_client.http2_request())
    (asked,) = (event for event in events if isinstance(event, RequestReceived))
    assert (b":authority", HOST.encode()) in asked.headers
    assert (b":path", b"/1k") in asked.headers
    assert any(isinstance(event, StreamEnded) for event in events)


def test_memory_is_what_each_connection_added() -> None:
    scenario = next(each for each in SCENARIOS if isinstance(each, Idle))
    results = {"fastingress": Idled(1000, 0, 2048 * 1000), "nginx": Idled(1000, 0, 1024 * 1000)}
    assert "| fastingress 0.1.0 | 2.00 KiB | 2.00 |" in report.markdown(scenario, results, VERSIONS)
    kept = json.loads(report.to_json({scenario: results}, VERSIONS))
    assert kept["scenarios"][0]["results"]["nginx"]["after_bytes"] == 1024 * 1000


def test_the_time_of_children_and_threads_counts() -> None:
    busy = "import threading\nt = threading.Thread(target=lambda: sum(range(3 * 10**6)))\nt.start()\nt.join()\n"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy + 'input()'!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as child:
        eventually(lambda: len(process.tree(child.pid)) == 2)
        eventually(lambda: process.cpu_nanoseconds(child.pid) > 10**7)
        assert process.memory_bytes(child.pid) > 2**20
        assert child.stdin is not None
        child.stdin.close()
