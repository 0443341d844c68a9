"""The cluster bench's arithmetic: what is planned, what counts as kept, what is drawn."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from xml.etree import ElementTree

from benches.cluster import plot, report
from benches.cluster.latency import Latencies
from benches.cluster.plan import Plan
from benches.cluster.recording import version_of
from benches.cluster.report import Found
from benches.cluster.starting import Start, Statuses
from benches.cluster.stream import Streamed

SLOW = Latencies(live=[0.004] * 98 + [0.060] * 2, watched=[0.001] * 100, queued=[0.0] * 100)
QUICK = Latencies(live=[0.004] * 100, watched=[-0.001] * 100, queued=[0.0] * 100)


def verdicts(found: Found) -> dict[str, bool | None]:
    return {row.what: row.kept for row in report.rows(found)}


def test_a_bound_is_kept_or_missed() -> None:
    start = Start(7.0, 3.0, 3.5, 251 << 20, 260 << 20)
    found = Found(10, starts=[start], statuses=Statuses(15.0, 70.0, 5.0), latencies={"slow": SLOW, "quick": QUICK})
    said = verdicts(found)
    assert said["process start to ready"] is True
    assert said["memory when steady"] is False
    assert said["status of all written, from leading on"] is True, "the wait for a new Lease does not count"
    assert said["slow on the wire: p50, p99, most"] is False
    assert said["quick on the wire: p50, p99, most"] is True
    assert "MISSED" in report.markdown(found)
    assert json.loads(report.to_json(found))["latencies"]["quick"]["live"] == QUICK.live


def test_only_a_replayed_stream_has_a_bound_for_the_processor() -> None:
    streamed = Streamed(500, 1.0, 0.6, 0.01, 1, 0.015, 200 << 20)
    kept = [row.kept for row in report.rows(Found(10, streams={"real": streamed, "replayed": streamed}))]
    assert kept == [None, False, None, True, False, False, None, True]


def test_endpoints_that_move_are_never_twice_in_a_row_at_one_address() -> None:
    plan = Plan(10_000)
    for index in (0, 1, 249, 250, 9_999):
        addresses = [plan.address(index, step) for step in range(2_000)]
        assert all(one != other for one, other in itertools.pairwise(addresses))
        assert all(0 < int(part) < 255 for address in addresses for part in address.split(".")[2:])
    assert len({plan.address(index) for index in range(plan.ingresses)}) == plan.ingresses


def test_the_version_of_a_recorded_event() -> None:
    assert version_of(b'{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"41"}}}') == 41


def test_the_picture_has_two_lines_for_each_kind_as_svg_and_png(tmp_path: Path) -> None:
    path = tmp_path / "latency.svg"
    assert plot.write({"slow": SLOW, "quick <1>": QUICK}, "Changes & more", path) == [path, path.with_suffix(".png")]
    picture = ElementTree.parse(path).getroot()
    words = {(each.text or "").strip() for each in picture.iter()}
    assert {"slow", "quick <1>", "Changes & more", "99 %", "bound at 99 %"} <= words
    long = [each for each in picture.iter() if each.get("d", "").count("L") >= len(SLOW.live) - 1]
    assert len(long) == 4
