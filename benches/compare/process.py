"""Processor time and memory of a process with all its children, from the kernel, and how all of them end. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in _tasks(parent):
            with contextlib.suppress(OSError):  # it has just ended, and the others have not
                found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def _tasks(pid: int) -> list[Path]:
    """Its threads; none once it has ended."""
    with contextlib.suppress(OSError):
        return [*Path(f"/proc/{pid}/task").iterdir()]
    return []


def cpu_nanoseconds(pid: int) -> int:
    """Time on a processor so far, of the tree with what has ended in it, in user and kernel mode.

    Threads are exact to the nanosecond, also those that have ended; of children that have ended there are ticks, of
    10 ms mostly.
    """
    return sum(_cpu_clock(member) + _of_ended_children(member) for member in tree(pid))


def _cpu_clock(pid: int) -> int:
    """The process's own clock, by its number: see clock_getcpuclockid(3)."""
    scheduled = 2
    try:
        return time.clock_gettime_ns((~pid << 3) | scheduled)
    except OSError:
        return 0  # it has just ended: its parent has its time


def _of_ended_children(pid: int) -> int:
    with contextlib.suppress(OSError):
        # A name may hold spaces and brackets; what follows the last one are fields 3 and on of proc_pid_stat(5).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        user, system = fields[13], fields[14]
        return (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return 0


def memory_bytes(pid: int) -> int:
    """Proportional resident memory of the tree: what is shared within it counts once."""
    total = 0
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def end(child: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and makes it when it does not."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        kill(tree(child.pid))
        child.wait()


def adopt_orphans() -> None:
    """What descends from this process does so for good: also when a parent in between ends first."""
    child_subreaper = 36  # prctl(2)
    ctypes.CDLL(None).prctl(child_subreaper, 1, 0, 0, 0)


def kill_all_below() -> None:
    """Ends at once whatever descends from this process."""
    for _ in range(3):  # what was just being started is found by the next
        kill(tree(os.getpid())[1:])


def kill(pids: Iterable[int]) -> None:
    """Ends them without asking; some may have ended already."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
