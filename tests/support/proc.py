"""What the kernel knows of a process: descriptors, threads, memory, processor time. Linux."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


def descriptors(pid: int | str = "self") -> int:
    """How many files and sockets the process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def sockets(pid: int | str = "self") -> int:
    """How many sockets the process has open."""
    return sum(1 for fd in Path(f"/proc/{pid}/fd").iterdir() if _target(fd).startswith("socket:"))


def threads(pid: int | str = "self") -> int:
    """How many threads the process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def resident_bytes(pid: int | str = "self") -> int:
    """Resident memory, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def cpu_seconds(pid: int | str = "self") -> float:
    """Processor time spent so far in user and kernel mode, in seconds, at the grain of the kernel's tick."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def is_pending(pid: int, number: int) -> bool:
    """True while a signal to the process has not been taken by any of its threads."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "ShdPnd":
            return bool(int(value, 16) >> (number - 1) & 1)
    raise ValueError("no ShdPnd line")


def children(pid: int) -> list[int]:
    """The child processes of all threads of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""  # closed while we looked
