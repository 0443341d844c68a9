"""What a cluster is told: the addresses in the status of Ingresses, and problems as Events. By the leader alone.

| module | what it is |
|---|---|
| `elector` | which replica leads; `lease` is the object that it writes |
| `addresses` | where the gateway is reached |
| `writer` | the loop that writes the status; `ledger` remembers what came of it for each Ingress |
| `events` | the loop that states problems; `event` is the object that it writes |
| `queue` | what is to be looked at, now or later |
| `pacing` | how fast we go |
| `denials` | where we may not write |
| `answers` | what an answer of the server means |
| `counters` | what is counted, for metrics |
"""

from __future__ import annotations

from fastingress.status.addresses import Addresses, parse_address
from fastingress.status.counters import EventCounters, StatusCounters
from fastingress.status.elector import Elector, Timing
from fastingress.status.events import EventRecorder
from fastingress.status.writer import StatusWriter

__all__ = [
    "Addresses",
    "Elector",
    "EventCounters",
    "EventRecorder",
    "StatusCounters",
    "StatusWriter",
    "Timing",
    "parse_address",
]
