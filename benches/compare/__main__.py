"""The command: starts everything, checks, measures, reports, ends everything."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from benches.compare import certificate, correct, kinds, programs, report
from benches.compare.peers import PEERS, Peer
from benches.compare.peers.base import free_port
from benches.compare.scenarios import SCENARIOS, Bulk, Scenario, title

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Runs the scenarios that were asked for."""
    asked = arguments()
    demand()
    peers = [peer for peer in PEERS if peer.name in asked.peers]
    scenarios = chosen(asked)
    needed = (kinds.of(scenario).programs for scenario in scenarios)
    programs.install({peer.program for peer in peers}.union(*needed))
    versions = {peer.name: peer.version() for peer in peers if not peer.missing("http1")}
    found: dict[Scenario, report.Results] = {}
    for scenario in scenarios:
        print(f"{scenario.name}: {title(scenario)}", flush=True)
        found[scenario] = run(scenario, [peer for peer in peers if has_what_it_takes(peer, scenario)])
        keep(found, versions)
    print("\n" + report.markdown(found, versions))


def keep(found: Mapping[Scenario, report.Results], versions: Mapping[str, str]) -> None:
    """Writes what there is so far: a run of half an hour that fails has not been for nothing."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(report.to_json(found, versions), encoding="utf-8")
    (RESULTS / "latest.md").write_text(report.markdown(found, versions) + "\n", encoding="utf-8")


def chosen(asked: argparse.Namespace) -> list[Scenario]:
    """In the order of their declaration, with the sizes that were asked for."""
    named = [each for each in SCENARIOS if any(fnmatch(each.name, pattern) for pattern in asked.scenarios)]
    sized = [each.quick() if asked.quick else each for each in named]
    size = asked.bulk_mib
    return [replace(each, mib=size) if size and isinstance(each, Bulk) else each for each in sized]


def has_what_it_takes(peer: type[Peer], scenario: Scenario) -> bool:
    """False, and a line that says why, for a peer that is not installed."""
    if missing := peer.missing(scenario.way):
        print(f"  {peer.name} is skipped: {missing}", flush=True)
    elif peer.lacks:
        print(f"  {peer.name} does less than the others: it has no way to make {', '.join(peer.lacks)}", flush=True)
    return not missing


def run(scenario: Scenario, classes: Sequence[type[Peer]]) -> report.Results:
    """One scenario with fresh processes, all peers at once: those that are not asked are idle."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compare-")))
        port = free_port()
        pair = certificate.issue(correct.HOST)
        kind = kinds.of(scenario)
        stack.callback(kind.behind(scenario, folder / "backend", port, pair).stop)
        peers = [peer(folder / peer.name, port, pair, scenario.way) for peer in classes]
        for peer in peers:
            stack.callback(peer.stop)
            peer.start()
            kind.check(scenario, peer)
        results: report.Results = kind.measure(scenario, peers)
        return results


def arguments() -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(description=sys.modules["benches.compare"].__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that it works")
    names = ", ".join(scenario.name for scenario in SCENARIOS)
    parser.add_argument(
        "--scenarios", nargs="+", type=pattern, default=["*"], help=f"names, or patterns such as 'idle*': {names}"
    )
    parser.add_argument("--bulk-mib", type=int, help="how long the bodies of the bulk scenarios are")
    known = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=known, default=known)
    return parser.parse_args()


def pattern(text: str) -> str:
    """One that some scenario has."""
    if not any(fnmatch(scenario.name, text) for scenario in SCENARIOS):
        raise argparse.ArgumentTypeError(f"no scenario is called {text!r}")
    return text


def demand() -> None:
    """Raises `SystemExit` when a program is missing, or when there is no second core for load and backend."""
    needed = ("wrk", "h2load", "curl", "openssl", "nginx", "taskset")
    if missing := sorted(program for program in needed if shutil.which(program) is None):
        packages = "nginx, wrk, nghttp2-client, curl, openssl, util-linux"
        raise SystemExit(f"not installed: {', '.join(missing)} (Debian packages {packages})")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for the load and the backend")


if __name__ == "__main__":
    main()
