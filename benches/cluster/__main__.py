"""The command: starts a control plane, fills it, measures what was asked for, reports, ends everything."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benches.cluster import latency, plot, report, starting, stream
from benches.cluster.access import Access
from benches.cluster.fill import fill
from benches.cluster.plan import Plan
from benches.cluster.recording import Recording
from benches.cluster.report import Found
from tests.cluster.support import control_plane
from tests.cluster.support.account import write_kubeconfig
from tests.cluster.support.control_plane import ControlPlane
from tests.support.certificates import Authority

RESULTS = Path(__file__).parent / "results"
PARTS = ("status", "start", "latency", "stream")
_PLANE = {"KUBE_KCM": "0", "KUBE_FAKELET": "0"}
"""No controllers and no pods: what they write, the bench does."""


def main() -> None:
    """Measures what was asked for."""
    asked = _arguments()
    if reason := control_plane.missing():
        raise SystemExit(reason)
    found = Found(asked.ingresses)
    with _cluster() as (plane, folder):
        _measure(found, asked, plane, folder)
    text = report.markdown(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(report.to_json(found), encoding="utf-8")
    (RESULTS / "latest.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if found.latencies:
        title = f"Changes in a cluster of {asked.ingresses:,} Ingresses"
        files = plot.write(found.latencies, title, RESULTS / "latency.svg")
        print(f"\n{', '.join(str(file.relative_to(Path.cwd())) for file in files)}", file=sys.stderr)


def _measure(found: Found, asked: argparse.Namespace, plane: ControlPlane, folder: Path) -> None:
    plan, authority = Plan(asked.ingresses), Authority()
    access = Access(plane.address, plane.ca, plane.admin_token)
    config = write_kubeconfig(folder / "bench.kubeconfig", plane.address, plane.ca, {"token": plane.admin_token})
    api = access.api()
    _say(found, f"{plan.ingresses:,} Ingresses with Services, EndpointSlices, and {len(plan.with_tls):,} Secrets")
    print(f"  made in {fill(api, plan, authority):.0f} s", file=sys.stderr)
    if {"status", "start"} & {*asked.only}:
        _say(found, "status of all")
        found.statuses = starting.write_statuses(config, api, plan)
    if "start" in asked.only:
        _say(found, "start and memory")
        found.starts = starting.measure(config, asked.rounds)
    if "latency" in asked.only:
        _say(found, "from a write to the wire")
        with starting.started(config) as controller:
            controller.until_steady()
            found.latencies = latency.measure(access, plan, controller, authority, asked.samples)
    if "stream" in asked.only:
        _stream(found, asked, access, plane, folder, config)


def _stream(
    found: Found, asked: argparse.Namespace, access: Access, plane: ControlPlane, folder: Path, config: Path
) -> None:
    plan, recording = Plan(asked.ingresses), Recording(folder / "recording")
    _say(found, f"100 changes a second for {asked.seconds:g} s")
    recording.record_lists(access)
    with starting.started(config) as controller:
        controller.until_steady()
        recorder = recording.record_events(access, int(100 * asked.seconds))
        found.streams["real"] = stream.real(access, plan, controller, 100, asked.seconds)
        recorder.join(10)
    _say(found, "the same, replayed at 500 a second")
    found.streams["replayed"] = stream.replayed(access, plane.ca_key, folder, plan, recording, 500)


@contextmanager
def _cluster() -> Iterator[tuple[ControlPlane, Path]]:
    """A control plane, with this thread in its network, and a backend at every pod's address."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
        state = folder / "controlplane"
        stack.callback(control_plane.end, state)
        plane = control_plane.start(state, f"bench-{os.getpid()}", _PLANE)
        stack.enter_context(plane.network.inside())
        backend = subprocess.Popen([sys.executable, "-m", "benches.cluster.backend"], stdout=subprocess.PIPE)
        stack.callback(backend.wait)
        stack.callback(backend.kill)
        assert backend.stdout is not None
        if backend.stdout.readline() != b"ready\n":
            raise RuntimeError("the backend did not start")
        yield plane, folder


def _say(found: Found, text: str) -> None:
    found.load.append(os.getloadavg()[0])
    print(f"{text} (load {found.load[-1]:.1f})", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    about = sys.modules["benches.cluster"].__doc__
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 Ingresses, few samples: only see that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    parser.add_argument("--ingresses", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="processes started one after the other")
    parser.add_argument("--samples", type=int, default=200, help="of each kind of change")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the stream")
    asked = parser.parse_args()
    if asked.quick:
        asked.ingresses, asked.rounds, asked.samples, asked.seconds = 1_000, 1, 20, 10.0
    return asked


if __name__ == "__main__":
    main()
