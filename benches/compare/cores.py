"""The two processor cores of a run: one for the proxy, the other for load and backend."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def chosen(allowed: Sequence[int]) -> tuple[int, int]:
    """The first of those that may be used, and the first after it that is no thread of the same core, if there is one.

    With fewer than two there is nothing to measure, which the command says.
    """
    first, *others = [*allowed, *allowed[:1]]
    apart = [core for core in others if core not in siblings(first)]
    return first, (apart or others)[0]


def siblings(core: int) -> set[int]:
    """All threads of that core, itself among them, by their numbers as the kernel counts them."""
    try:
        listed = Path(SIBLINGS.format(core)).read_text(encoding="ascii").strip()
    except OSError:  # not every virtual machine tells
        return {core}
    ranges = (part.partition("-") for part in listed.split(",") if part)
    return {core}.union(*(range(int(low), int(high or low) + 1) for low, _, high in ranges))


PROXY_CORE, OTHER_CORE = chosen(sorted(os.sched_getaffinity(0)))
SHARED = OTHER_CORE in siblings(PROXY_CORE)
"""They are two threads of one core: what one does slows the other."""
