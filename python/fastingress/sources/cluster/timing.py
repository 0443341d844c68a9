"""How long a reflector waits for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds."""

    watch: float = 8.0
    """For one watch, at most: so often a connection that is dead without a word is found out, even if it alone is. Each
    costs one request in about seven seconds."""
    slack: float = 2.0
    """How much longer than the watch its silence may last."""
    list: float = 120.0
    """For a list that comes as a stream."""
    silent: float = 20.0
    """Of such a stream while it is a list."""
    denied: float = 30.0
    refused: float = 1.0
    """The longest wait after a connection that could not be made."""
    longest: float = 10.0
    """The longest wait after anything else."""
    stuck: float = 30.0
    """After so long with answers that do not let us go on from where we are, we list again."""
    steady: float = 1.0
    """A watch that ends sooner, with nothing seen, has failed."""


ORDINARY = Timing()
