"""The command: says what will run, starts everything, checks, measures, reports, ends everything."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from benches import arguments
from benches.compare import (
    certificate,
    choosing,
    correct,
    debian,
    kinds,
    machine,
    planned,
    plots,
    process,
    programs,
    progress,
    report,
    tables,
)
from benches.compare.cores import OTHER_CORE, PROXY_CORE
from benches.compare.peers import PEERS, Peer
from benches.compare.peers.base import free_port
from benches.compare.planned import Part
from benches.compare.record import Record, Results, record
from benches.compare.scenario import Scenario, site, title
from benches.compare.scenarios import SCENARIOS
from benches.compare.turns import FAILURES, worded
from benches.compare.verdict import OURS

RESULTS = programs.ROOT / "target" / "compare"


def main() -> None:
    """Runs the scenarios that were asked for. Ends with 1 when this project's own proxy could not be measured."""
    parser = _parser()
    asked = parser.parse_args()
    if asked.list:
        print(listing())
        return
    try:
        scenarios = choosing.scenarios(
            asked.scenarios, quick=asked.quick, rounds=asked.rounds, mib=asked.bulk_mib, promised=asked.promised
        )
        peers = choosing.peers(asked.peers, quick=asked.quick)
    except choosing.UnknownError as error:
        parser.error(str(error))
    if PROXY_CORE == OTHER_CORE:
        allowed = f"core {PROXY_CORE} alone may be used"
        raise SystemExit(f"two cores are needed, one for the proxy, one for load and backend; {allowed}")
    _demand_folder(asked.out)
    debian.demand(program for peer in peers for scenario in scenarios for program in peer.needs(scenario.way))
    process.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    so_far = SoFar()
    try:
        programs.install(
            {peer.program for peer in peers}.union(*(kinds.of(scenario).programs for scenario in scenarios))
        )
        os.sched_setaffinity(0, {OTHER_CORE})
        whole = compare(scenarios, peers, asked.out, so_far)
    except KeyboardInterrupt as interrupt:
        kept = f"what was found so far is in {asked.out}" if so_far.found else "nothing was found yet"
        print(f"\nended before its time: {kept}", flush=True)
        raise SystemExit(128 + interrupt.args[0]) from None
    finally:
        process.kill_all_below()
    raise SystemExit(0 if whole else 1)


@dataclass
class SoFar:
    """What there is so far."""

    work: machine.Work = field(default_factory=machine.work)
    """Of the processors until it began."""
    machine: machine.Machine = field(default_factory=machine.seen)
    versions: dict[str, str] = field(default_factory=dict)
    found: dict[Scenario, Results] = field(default_factory=dict)
    left_out: dict[Scenario, dict[str, str]] = field(default_factory=dict)
    """Peers that were not timed, and why."""
    tools: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def record(self) -> Record:
        """To be kept."""
        ended = machine.at_end(self.machine, self.work)
        return record(ended, self.versions, self.found, self.left_out, self.tools, self.absent)


def compare(scenarios: Sequence[Scenario], peers: Sequence[type[Peer]], out: Path, so_far: SoFar) -> bool:
    """Measures, keeps and prints; whether this project's own proxy took part in all that it was asked for.

    `so_far` is filled scenario by scenario: a run of an hour that fails has not been for nothing.
    """
    asked = {peer.name for peer in peers}
    dumb = {peer.name: why for peer in peers if (why := _put_version(peer, so_far.versions))}
    so_far.absent = [f"{name} is left out: {why}" for name, why in dumb.items()]
    peers = [peer for peer in peers if peer.name not in dumb]
    by_name = {peer.name: peer for peer in peers}
    parts = [Part(scenario, tuple(present(scenario, peers))) for scenario in scenarios]
    so_far.tools = debian.versions()
    so_far.absent += absent(scenarios, peers)
    if not any(part.peers for part in parts):
        raise SystemExit("\n".join([*so_far.absent, "nothing is left to be measured"]))
    print("\n".join([*so_far.absent, planned.announcement(parts), ""]), flush=True)
    with progress.shown(parts):
        for part in parts:
            progress.part(part)
            progress.line(f"{part.scenario.name}: {title(part.scenario)}")
            left_out = so_far.left_out.setdefault(part.scenario, {})
            try:
                so_far.found[part.scenario] = run(part.scenario, [by_name[name] for name in part.peers], left_out)
            except SystemExit as error:
                progress.line(f"  {part.scenario.name} is given up: {error}")
                so_far.found[part.scenario] = {}
                left_out.update(dict.fromkeys(part.peers, str(error)))
            report.write(so_far.record(), out)
    written = plots.write(so_far.record(), out)
    print("\n" + tables.markdown(so_far.record()))
    print(f"\nresults are in {out}: {', '.join(['latest.json', 'latest.md', *(path.name for path in written)])}")
    return OURS not in asked or all(OURS in results for results in so_far.found.values())


def _demand_folder(out: Path) -> None:
    """Raises `SystemExit` where results could not be written: that is not to be found out after an hour."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise SystemExit(f"--out {out}: results cannot be written there: {error.strerror}") from None


def _put_version(peer: type[Peer], versions: dict[str, str]) -> str:
    """Puts down the version of one that is there. Why it has none, of a program that does not run; else nothing."""
    if peer.missing("http1"):
        return ""  # which is told with the scenarios that it is missing in
    try:
        versions[peer.name] = peer.version()
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error)
    except LookupError:
        reason = "what it says has none"
    else:
        return ""
    return f"{peer.program} does not say its version: {reason}"


def present(scenario: Scenario, peers: Sequence[type[Peer]]) -> list[str]:
    """The names of those that can take part."""
    able = (peer for peer in peers if kinds.takes_part(scenario, peer))
    return [peer.name for peer in able if not kinds.missing(scenario, peer)]


def absent(scenarios: Sequence[Scenario], peers: Sequence[type[Peer]]) -> list[str]:
    """A line on each peer and reason why it is left out of some scenarios, and on whatever else is amiss with one."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for peer in peers:
        for scenario in scenarios:
            if kinds.takes_part(scenario, peer) and (missing := kinds.missing(scenario, peer)):
                reasons.setdefault((peer.name, missing), []).append(scenario.name)
    lines = [
        f"{name} is left out{'' if len(out) == len(scenarios) else ' of ' + ', '.join(out)}: {reason}"
        for (name, reason), out in reasons.items()
    ]
    less = "does less than the others: it has no way to make"
    taking = [peer for peer in peers if any(kinds.takes_part(scenario, peer) for scenario in scenarios)]
    lines += [f"{peer.name} {less} {', '.join(sorted(peer.lacks))}" for peer in taking if peer.lacks]
    return lines + [f"{peer.name} {caveat}" for peer in taking if (caveat := peer.caveat())]


def run(scenario: Scenario, classes: Sequence[type[Peer]], left_out: dict[str, str] | None = None) -> Results:
    """One scenario with fresh processes, all peers at once: those that are not asked are idle.

    `left_out` is told of peers that do not do the same work, or fail under load, and why; without it that is an error.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compare-")))
        port = free_port()
        pair = certificate.issue(correct.HOST, rsa=site(scenario).rsa)
        kind = kinds.of(scenario)
        stack.callback(kind.behind(scenario, folder / "backend", port, pair).stop)
        peers = [
            peer(folder / peer.name.replace(" ", "-"), port, pair, scenario.way, site(scenario)) for peer in classes
        ]
        for peer in tuple(peers):
            stack.callback(peer.stop)
            if reason := refusal(peer, scenario):
                if left_out is None:
                    raise SystemExit(reason)
                progress.line(f"  {peer.name} is left out: {reason}")
                left_out[peer.name] = reason
                peers.remove(peer)
        results: Results = kind.measure(scenario, peers)
        failed = {peer.name: peer.failure for peer in peers if peer.failure}
        if left_out is not None:
            left_out.update(failed)
        elif failed:
            raise SystemExit("\n".join(failed.values()))
        return results


def refusal(peer: Peer, scenario: Scenario) -> str:
    """Starts it; why it is not timed, which is that it does not start, or not do the same work. Empty when it does."""
    try:
        peer.start()
        kinds.of(scenario).check(scenario, peer)
    except FAILURES as error:
        return worded(error)
    return ""


def listing() -> str:
    """All scenarios with their sentence, and all peers with their version or why they are missing."""
    width = max(len(each.name) for each in (*SCENARIOS, *PEERS))
    lines = ["scenarios:", *(f"  {scenario.name:{width}}  {title(scenario)}" for scenario in SCENARIOS), "", "peers:"]
    versions: dict[str, str] = {}
    missing = {peer: peer.missing("http1") or _put_version(peer, versions) for peer in PEERS}
    lines += [f"  {peer.name:{width}}  {why or versions[peer.name]}" for peer, why in missing.items()]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benches.compare", description=sys.modules["benches.compare"].__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    quick = f"{len(choosing.QUICK_SCENARIOS)} scenarios with {', '.join(choosing.QUICK_PEERS)}, in under 4 minutes"
    parser.add_argument(
        "--quick", action="store_true", help=f"a look: shorter turns, and unless others are named {quick}"
    )
    promised = f"the {len(choosing.PROMISED_SCENARIOS)} scenarios with a bound that this project is held to"
    parser.add_argument("--promised", action="store_true", help=f"unless others are named, {promised}")
    names = "names or patterns such as 'idle*'; --list shows all"
    parser.add_argument("--scenarios", nargs="+", default=[], metavar="NAME", help=names)
    parser.add_argument("--peers", nargs="+", default=[], metavar="NAME", help="the same")
    parser.add_argument("--rounds", type=arguments.count, metavar="N", help="in place of the scenarios' own numbers")
    parser.add_argument(
        "--bulk-mib", type=arguments.count, metavar="MIB", help="how long the bodies of the bulk scenarios are"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where results go (target/compare)")
    parser.add_argument("--list", action="store_true", help="show scenarios and peers, and run nothing")
    return parser


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Whatever was started ends first: nothing that is then unwound has to wait for it."""
    del frame
    process.kill_all_below()
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    main()
