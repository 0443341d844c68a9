"""What is known of the machine that a run was made on: figures of another one are not to be compared with these."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from benches.compare import cores, process

ROUGH = 0.1
"""A core that others took this part of, or the host did, is not a machine that was left alone."""


@dataclass(frozen=True)
class Work:
    """What the processors have done so far, in seconds."""

    at: float
    busy: float
    """All cores."""
    stolen: float
    """Given to somebody else by what this machine runs in."""
    own: float
    """Of this process and all that it started."""


class Machine(msgspec.Struct, frozen=True):
    """Facts at the start of a run, and two at its end."""

    processor: str
    cores: int
    kernel: str
    memory_bytes: int
    governor: str
    """Of the processor's frequency; empty where there is none to be seen, as in most virtual machines."""
    virtualisation: str
    """What the machine runs in, as systemd names it; empty when that is not known."""
    python: str
    began: str
    """UTC, ISO 8601."""
    load_at_start: float
    """Average of the last minute."""
    congestion: str = ""
    """What TCP is paced by, as the kernel names it: BBR's timers cost all proxies something."""
    shared_core: bool = False
    """The proxy and what loads it ran on two threads of one core."""
    ended: str = ""
    load_at_end: float = 0.0
    others: float | None = None
    """The part of a core that was busy with something else during the run."""
    stolen: float | None = None
    """The part of a core that what this machine runs in gave to others, during the run."""

    @property
    def facts(self) -> list[str]:
        """What it is, whatever it does."""
        inside = f", {self.virtualisation}" if self.virtualisation not in ("", "none") else ""
        paced = f", TCP with {self.congestion}" if self.congestion else ""
        governed = f", frequency governor {self.governor}" if self.governor else ""
        memory = f"{self.memory_bytes / 2**30:.0f} GiB of memory"
        return [f"{self.processor}, {self.cores} cores{inside}, {memory}", f"Linux {self.kernel}{governed}{paced}"]

    def lines(self) -> list[str]:
        """To read, one fact a line."""
        return [*self.facts, *self.during()]

    def during(self) -> list[str]:
        """When this was, and what else it did then."""
        load = f"load average {self.load_at_start:.1f} before and {self.load_at_end:.1f} after"
        rough = max(self.load_at_start, self.load_at_end) > self.cores + 1
        if self.others is not None and self.stolen is not None:
            load += f"; other work took {self.others:.1%} of a core meanwhile, and the host {self.stolen:.1%}"
            rough |= max(self.others, self.stolen) > ROUGH
        return [
            f"{self.began} to {self.ended}, {load}",
            *(["proxy and load ran on two threads of one core"] if self.shared_core else []),
            *(["**the machine had other work: these figures are rough**"] if rough else []),
        ]


def seen() -> Machine:
    """Now."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        virtualisation=_virtualisation(),
        python=platform.python_version(),
        began=_now(),
        load_at_start=os.getloadavg()[0],
        congestion=_read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
        shared_core=cores.SHARED,
    )


def at_end(machine: Machine, start: Work) -> Machine:
    """The same, with what is only known then."""
    now = work()
    seconds = max(0.01, now.at - start.at)
    others = max(0.0, now.busy - start.busy - (now.own - start.own)) / seconds
    stolen = (now.stolen - start.stolen) / seconds
    load = os.getloadavg()[0]
    return msgspec.structs.replace(machine, ended=_now(), load_at_end=load, others=others, stolen=stolen)


def work() -> Work:
    """So far. The kernel counts all cores in ticks, of 10 ms mostly, and this process's own time to the nanosecond."""
    first = _read("/proc/stat").split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, hard, soft, stolen = (
        int(each) / os.sysconf("SC_CLK_TCK") for each in first[1:9]
    )
    own = process.cpu_nanoseconds(os.getpid()) / 1e9
    return Work(time.monotonic(), user + nice + system + hard + soft, stolen, own)


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%MZ")


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _virtualisation() -> str:
    try:
        done = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, check=False)
    except OSError:
        return "virtual" if " hypervisor" in _read("/proc/cpuinfo") else ""
    return done.stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
