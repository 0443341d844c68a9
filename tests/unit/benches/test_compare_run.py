"""The comparison's command: what it runs, how long it says that takes, how far it has come, and how it ends."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benches.compare import __main__ as command
from benches.compare import choosing, planned, process, progress
from benches.compare.__main__ import SoFar, absent, compare, listing
from benches.compare.peers.fastingress import Fastingress
from benches.compare.peers.relay import Relay
from benches.compare.planned import Part, clock, spoken
from benches.compare.progress import Progress
from benches.compare.scenario import Bulk, Load, Scenario
from benches.compare.scenarios import SCENARIOS
from fastingress import _core
from tests.support.eventually import eventually

LOAD = next(each for each in SCENARIOS if isinstance(each, Load))


def named(scenarios: list[Scenario]) -> list[str]:
    return [scenario.name for scenario in scenarios]


def chosen(*patterns: str, quick: bool = False, rounds: int | None = None, mib: int | None = None) -> list[Scenario]:
    return choosing.scenarios(patterns, quick=quick, rounds=rounds, mib=mib)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_without_names_all_scenarios_run_and_a_quick_look_has_four_with_three_peers() -> None:
    assert chosen() == list(SCENARIOS)
    assert named(chosen(quick=True)) == ["http1-1k", "h2-tls", "tls-handshake", "idle"]
    assert [peer.name for peer in choosing.peers([], quick=True)] == ["fastingress", "nginx", "HAProxy"]
    assert named(chosen("h2c", quick=True)) == ["h2c"], "a quick look may be at something else"


def test_a_pattern_has_whatever_it_fits_in_the_order_of_declaration() -> None:
    assert named(chosen("idle*", "h2c")) == [
        each.name for each in SCENARIOS if each.name == "h2c" or each.name.startswith("idle")
    ]


@pytest.mark.parametrize("pattern", ["bare-relay", "bare relay", "BARE*"])
def test_peers_are_named_in_any_case_and_with_hyphens_for_spaces(pattern: str) -> None:
    assert [peer.name for peer in choosing.peers([pattern], quick=False)] == ["bare relay"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("htp1-1k", "did you mean http1-1k"), ("handshake", "tls-handshake"), ("zzz", "there are http1-1k, ")],
)
def test_an_unknown_scenario_is_refused_with_what_was_probably_meant(pattern: str, meant: str) -> None:
    with pytest.raises(choosing.UnknownError, match=meant) as refused:
        chosen("h2c", pattern)
    assert repr(pattern) in str(refused.value)


def test_an_unknown_peer_ends_the_command_before_anything_starts() -> None:
    command = [sys.executable, "-m", "benches.compare", "--peers", "ngnix"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no peer is called 'ngnix'; did you mean nginx" in done.stderr


def test_rounds_are_set_but_for_what_has_one_by_nature() -> None:
    sized = {each.name: each.rounds for each in chosen("http1-1k", "idle", rounds=3)}
    assert sized == {"http1-1k": 3, "idle": 1}


def test_the_length_of_long_bodies_is_set() -> None:
    (bulk,) = chosen("bulk-http1-down", mib=5)
    assert isinstance(bulk, Bulk)
    assert bulk.mib == 5


def test_what_was_promised_can_be_run_alone() -> None:
    found = choosing.scenarios([], quick=False, rounds=None, mib=None, promised=True)
    assert {"http1-1k", "churn", "grpc", "bulk-http1-up"} <= {each.name for each in found}
    assert all(any(bound.promised for bound in each.bounds) for each in found)
    assert named(choosing.scenarios(["h2c"], quick=False, rounds=None, mib=None, promised=True)) == ["h2c"]


def test_a_quick_look_takes_less_than_four_minutes() -> None:
    parts = [Part(each, choosing.QUICK_PEERS) for each in chosen(quick=True)]
    assert planned.total(parts) < 4 * 60


def test_what_will_run_is_said_with_how_long_that_takes() -> None:
    part = Part(replace(LOAD, rounds=10, seconds=8), ("fastingress", "nginx"))
    assert planned.announcement([part, part]).splitlines() == [
        "2 scenarios with fastingress, nginx: 40 turns.",
        f"This takes about {spoken(2 * part.seconds)}. The machine should be left alone meanwhile.",
    ]
    assert part.seconds == pytest.approx(20 * part.scenario.seconds_per_turn + part.starting)


@pytest.mark.parametrize(
    ("seconds", "words", "numbers"),
    [
        (5, "1 minute", "0:05"),
        (150, "2 minutes", "2:30"),
        (3600, "1 hour", "1:00:00"),
        (7384, "2 hours 3 minutes", "2:03:04"),
    ],
)
def test_spans_are_readable(seconds: float, words: str, numbers: str) -> None:
    assert (spoken(seconds), clock(seconds)) == (words, numbers)


def test_what_is_left_is_the_plan_until_turns_say_otherwise() -> None:
    now = Clock()
    part = Part(replace(LOAD, rounds=100), ("fastingress",))
    run = Progress([part], now)
    run.part(part)
    assert run.left == pytest.approx(part.seconds)
    now.seconds = 10
    assert run.left == pytest.approx(part.seconds - 10)
    for number in range(50):  # each takes twice as long as was thought
        now.seconds += 2 * LOAD.seconds_per_turn
        run.turn(part.scenario, "fastingress", number + 1)
    assert run.share == pytest.approx(0.5, abs=0.01)
    assert run.left > 1.5 * part.seconds / 2


def test_progress_never_goes_back_and_ends_with_nothing_left() -> None:
    now = Clock()
    parts = [Part(LOAD, ("fastingress", "nginx")), Part(LOAD, ("fastingress",))]
    run, shares = Progress(parts, now), []
    for part in parts:
        run.part(part)
        for number in range(part.scenario.rounds + 3):  # more turns than were announced
            for peer in part.peers:
                now.seconds += 1
                run.turn(part.scenario, peer, number + 1)
                shares.append(run.share)
    assert shares == sorted(shares)
    assert (run.share, run.left) == (1.0, 0.0)


def test_lines_say_what_is_left_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    part = Part(replace(LOAD, rounds=1), ("fastingress",))
    with progress.shown([part]):
        progress.part(part)
        progress.turn(part.scenario, "fastingress", 1, "9.0 us")
    assert capsys.readouterr().out == "  round 1: fastingress 9.0 us  [100%, 0:00 left]\n"


def test_a_terminal_has_a_bar_below_the_lines() -> None:
    part = Part(replace(LOAD, rounds=2), ("fastingress",))
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with progress.shown([part], terminal) as shown:
        progress.part(part)
        progress.turn(part.scenario, "fastingress", 1, "9.0 us")
        terminal.print(shown)
    assert isinstance(terminal.file, io.StringIO)
    said = terminal.file.getvalue()
    assert "round 1: fastingress 9.0 us\n" in said
    assert f"{part.scenario.name}: fastingress, round 1 of 2" in said
    assert "elapsed" in said


def test_measurements_say_their_turns_where_no_run_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress.turn(LOAD, "nginx", 2, "9.0 us")
    assert capsys.readouterr().out == "  round 2: nginx 9.0 us\n"


class Absent(Relay):
    name = "absent"

    @classmethod
    def missing(cls, way: str) -> str:
        return "it knows no frames" if way == "h2c" else ""


class Lacking(Absent):
    name = "lacking"
    lacks = frozenset({"X-Request-ID"})


def test_peers_that_are_left_out_are_named_once_with_the_reason() -> None:
    assert absent(chosen("h2c", "idle"), [Absent]) == ["absent is left out of h2c: it knows no frames"]
    assert absent(chosen("h2c"), [Lacking]) == [
        "lacking is left out: it knows no frames",
        "lacking does less than the others: it has no way to make X-Request-ID",
    ]


@pytest.mark.parametrize(
    ("profile", "trained", "told"),
    [
        ("wheel", True, []),
        ("wheel", False, ["fastingress is built without training the compiler, and people"]),
        ("debug", False, ["fastingress is built with the profile 'debug', and people"]),
    ],
)
def test_a_build_that_people_do_not_install_is_told(
    monkeypatch: pytest.MonkeyPatch, profile: str, trained: bool, told: list[str]
) -> None:
    monkeypatch.setattr(_core, "__profile__", profile)
    monkeypatch.setattr(_core, "__trained__", trained)
    assert [line.rpartition(" install")[0] for line in absent(chosen("idle"), [Fastingress])] == told


class Broken(Relay):
    """It is there, and does not run."""

    name = "broken"

    @classmethod
    def missing(cls, way: str) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        raise subprocess.CalledProcessError(3, ["broken", "-v"])


def test_a_program_that_does_not_run_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PEERS", [Broken, Absent])
    *_, broken, absent = listing().splitlines()
    assert broken.split(maxsplit=1)[0] == "broken"
    assert "exit status 3" in broken
    assert "absent" in absent


def test_a_program_that_does_not_run_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"broken is left out: .* exit status 3\.\nnothing is left to be measured"):
        compare(chosen("h2c"), [Broken], tmp_path, SoFar())


def test_where_nothing_is_left_to_be_measured_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent is left out: it knows no frames\nnothing is left to be measured"):
        compare(chosen("h2c"), [Absent], tmp_path, SoFar())
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_takes_no_results_is_found_out_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr("sys.argv", ["compare", "--quick", "--out", str(file)])
    with pytest.raises(SystemExit, match=r"--out .*/file: results cannot be written there: File exists"):
        command.main()


def test_the_list_has_every_scenario_with_its_sentence() -> None:
    lines = listing().splitlines()
    for scenario in SCENARIOS:
        assert any(scenario.name in line and scenario.what in line for line in lines)
    assert lines[-1].split()[:2] == ["bare", "relay"]


def test_nothing_that_was_started_outlives_an_end_at_once() -> None:
    """Also not what has lost its parent: the shell is gone before its child is."""
    program = (
        "import subprocess, sys; from benches.compare import process\n"
        "process.adopt_orphans()\n"
        "said = subprocess.run(['sh', '-c', 'sleep 100 >/dev/null 2>&1 & echo $!'], stdout=-1, text=True).stdout\n"
        "process.kill_all_below(); print(said)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    orphan = int(done.stdout)
    eventually(lambda: not _runs(orphan))


def test_what_does_not_end_when_asked_is_ended_with_its_children() -> None:
    stubborn = "trap '' TERM; sh -c \"trap '' TERM; echo up; sleep 100\"; sleep 100"
    with subprocess.Popen(["sh", "-c", stubborn], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        below = process.tree(child.pid)
        process.kill(below)
    eventually(lambda: not any(_runs(pid) for pid in below))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
