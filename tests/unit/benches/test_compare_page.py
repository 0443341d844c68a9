"""The pictures and the page of the comparison are made from a record alone."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec import structs

from benches.compare import machine, page, plots, report, tables
from benches.compare.record import BoundFound, PeerFound, Record, ScenarioFound, Spread, from_json, joined, to_json
from benches.compare.scenarios import SCENARIOS

KEPT = report.RESULTS / "latest.json"
MACHINE = structs.replace(machine.seen(), began="2026-01-01T10:00Z", ended="2026-01-01T11:00Z")
"""Looked at once: its load is another one a second later."""


def peer(name: str, ratio: float, percentiles: dict[str, float] | None = None) -> PeerFound:
    to = Spread(ratio, ratio * 0.9, ratio * 1.1, 0.95)
    return PeerFound(name, f"{ratio} us", ratio, to, "100", percentiles or {}, [ratio], {})


def scenario(name: str, metric: str, unit: str, *peers: PeerFound) -> ScenarioFound:
    bound = BoundFound(f"{metric} to nginx", "0.60", "0.70", "kept", "kept", "it is kept")
    return ScenarioFound(name, f"{name} in words", metric, unit, "requests/s", 7, list(peers), [bound], {}, {})


def run(*scenarios: ScenarioFound) -> Record:
    return Record(MACHINE, {"fastingress": "0.1.0", "nginx": "1.22"}, list(scenarios))


CPU = scenario("http1", "CPU per request", "us", peer("fastingress", 0.6), peer("nginx", 1.0), peer("Caddy", 6.2))
IDLE = scenario("idle", "memory per connection", "KiB", peer("fastingress", 3.0), peer("nginx", 0.5))
HELD = scenario("held", "latency", "ms", peer("fastingress", 1.0, {"p50": 300.0, "p99": 900.0, "p99.9": 2500.0}))


def words(path: Path) -> set[str]:
    """All text of a picture."""
    return {text.strip() for each in ElementTree.parse(path).iter() for text in [each.text or ""] if text.strip()}


def test_each_kind_of_figure_has_its_picture_as_svg_and_png(tmp_path: Path) -> None:
    written = plots.write(run(CPU, IDLE, HELD), tmp_path)
    assert {path.name for path in written} == {
        f"{name}.{ending}" for name in ("cpu", "memory", "latency") for ending in ("svg", "png")
    }
    assert all(path.stat().st_size > 1000 for path in written)
    assert {"http1", "fastingress", "nginx", "Caddy", "0.60", "1.00"} <= words(tmp_path / "cpu.svg")
    assert "6.20 »" in words(tmp_path / "cpu.svg"), "what is cut has its number beside"
    assert {"idle", "3.0", "0.5"} <= words(tmp_path / "memory.svg")


def test_pictures_of_others_stay(tmp_path: Path) -> None:
    for name in ("holiday.png", "latency.png"):
        (tmp_path / name).touch()
    plots.write(run(CPU), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"holiday.png", "cpu.svg", "cpu.png"}


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", None])
def test_what_is_no_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    given = tmp_path / "given.json"
    if content is not None:
        given.write_bytes(content)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("sys.argv", ["report", str(given)])
    with pytest.raises(SystemExit, match=r"given.json is no run that can be read"):
        report.main()
    assert not (tmp_path / "results").exists()


def test_there_is_no_picture_without_figures(tmp_path: Path) -> None:
    assert {path.stem for path in plots.write(run(IDLE), tmp_path)} == {"memory"}
    assert plots.write(run(), tmp_path) == []


def test_the_same_figures_make_the_same_picture(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in plots.write(run(CPU, IDLE), tmp_path)]
    assert [path.read_bytes() for path in plots.write(run(CPU, IDLE), tmp_path)] == first


def test_many_scenarios_and_peers_do_not_overlap(tmp_path: Path) -> None:
    """Each bar has as much room as the only one of a picture has."""
    many = [structs.replace(CPU, name=f"scenario-{number}") for number in range(30)]
    plots.write(run(*many), tmp_path)
    size = re.search(r'height="([\d.]+)pt"', (tmp_path / "cpu.svg").read_text(encoding="utf-8"))
    assert size is not None
    assert float(size[1]) > 10 * 3 * 0.21 * 72


def test_the_page_has_bounds_machine_versions_and_the_pictures_that_there_are() -> None:
    text = page.text(run(CPU), {"cpu"})
    assert "| http1: CPU per request to nginx | 0.60 | 0.70 | kept |" in text
    assert "1 bounds are kept, 0 broken, 0 not settled, 0 not measured." in text
    assert "fastingress 0.1.0, nginx 1.22" in text
    assert "/cpu.svg)" in text
    assert "/memory.svg)" not in text
    assert "{" not in text, "nothing is left to fill in"


def test_what_made_load_and_who_was_absent_are_told() -> None:
    whole = structs.replace(run(CPU), tools={"wrk": "4.1.0", "nginx": "1.22.1"}, absent=["Envoy is left out: gone"])
    for text in (page.text(whole, set()), tables.markdown(whole)):
        assert "- load and backends: wrk 4.1.0, nginx 1.22.1\n" in text
        assert "- Envoy is left out: gone\n" in text
    assert "load and backends" not in page.text(run(CPU), set())


def test_the_page_says_what_was_not_run() -> None:
    name = SCENARIOS[0].name
    some, whole = (
        run(structs.replace(CPU, name=name)),
        run(*(structs.replace(CPU, name=each.name) for each in SCENARIOS)),
    )
    said = page.text(some, set())
    assert "\n1 scenarios are there, and these are not: " in said
    assert f" {name}," not in said.partition("these are not:")[2].partition("\n\n")[0]
    assert f"\nAll {len(SCENARIOS)} scenarios are there." in page.text(whole, set())


def test_scenarios_of_several_runs_make_one_page() -> None:
    first, second, third = (structs.replace(CPU, name=each.name, title=each.what) for each in SCENARIOS[:3])
    older = structs.replace(run(first, second), versions={"nginx": "1.22", "Caddy": "2"}, absent=["no Envoy"])
    again = structs.replace(second, title="measured again")
    later = structs.replace(MACHINE, began="2026-01-02T10:00Z", ended="2026-01-02T11:00Z")
    newer = structs.replace(run(third, again), machine=later, versions={"nginx": "1.28"}, absent=["no Envoy"])
    both = joined([older, newer])
    assert [each.title for each in both.scenarios] == [first.title, "measured again", third.title]
    assert both.versions == {"nginx": "1.22 and 1.28", "Caddy": "2"}
    assert (both.absent, from_json(to_json(both))) == (["no Envoy"], both)
    text = page.text(both, set())
    assert "These are 2 runs, and each scenario is of one of them. 3 scenarios are there" in text
    assert text.index("2026-01-01T10:00Z") < text.index("2026-01-02T10:00Z")
    assert joined([older]) == older


def test_runs_of_two_machines_are_not_joined() -> None:
    other = structs.replace(run(CPU), machine=structs.replace(MACHINE, kernel="2.4.0"))
    with pytest.raises(SystemExit, match=r"runs of two machines .* Linux 2\.4\.0"):
        joined([run(CPU), other])


def test_making_a_run_the_newest_keeps_it_and_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given.json"
    given.write_bytes(to_json(run(CPU)))
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr("sys.argv", ["report", str(given)])
    report.main()
    assert from_json((tmp_path / "results" / "latest.json").read_bytes()) == run(CPU)
    assert (tmp_path / "results" / "cpu.svg").exists()
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page.text(run(CPU), {"cpu"})


@pytest.mark.skipif(not KEPT.exists(), reason="no run is kept")
def test_the_page_in_docs_is_written_from_the_kept_run() -> None:
    pictures = {path.stem for path in report.RESULTS.glob("*.svg")}
    assert report.PAGE.read_text(encoding="utf-8") == page.text(from_json(KEPT.read_bytes()), pictures)
