"""What this room counts, as plain numbers: whoever serves metrics reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class StatusCounters:
    """Of the status writer."""

    writes: Counter[str] = field(default_factory=Counter)
    """Writes by result: `written`, `withdrawn`, `conflict`, `gone`, `denied`, `refused`, `failed`."""
    conflicts: int = 0
    """Ingresses whose status another manager owns now."""
    queued: int = 0
    """Ingresses that are to be looked at, now or later."""


@dataclass
class EventCounters:
    """Of the event recorder."""

    events: Counter[str] = field(default_factory=Counter)
    """Statements by result: `created`, `repeated`, `denied`, `refused`, `failed`, `terminating`."""
    dropped: int = 0
    """Problems that were too many to be kept here. They come when there is room."""
    standing: int = 0
    """Problems that are kept here."""
    queued: int = 0
    """Of those, the ones that wait to be stated, now or later."""
