"""Keeps Python's garbage collector from stalling the control plane.

Ten thousand Ingresses are some hundred thousand objects that live as long as the process. A full collection looks at
every one of them while nothing else of Python runs, for a tenth of a second and more, and finds nothing: what a change
replaces goes by reference counts. So what there is when the first table is live is set aside, and so is, later on, what
has survived one full collection: each collection looks at what is new alone, which the thresholds keep to a few
milliseconds. The price: a cycle that lived so long is never collected when it dies. The control plane makes none.

These settings are the whole interpreter's: they are for a process that is ours, not for one that embeds a gateway.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_OLDEST = 2
_THRESHOLDS = (500, 10, 1)
"""A full collection sees some 15,000 objects, at a third to half of a microsecond each."""


@contextmanager
def deferred() -> Iterator[None]:
    """No collections until `resume`, or the end of the block: everything that is read at the start stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def resume() -> None:
    """What there is now stays; what comes from here on is collected, in small steps."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    if _set_aside not in gc.callbacks:
        gc.callbacks.append(_set_aside)
    gc.enable()


def _set_aside(phase: str, info: Mapping[str, int]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()
