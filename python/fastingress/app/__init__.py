"""The composition root: makes the parts, starts them in order, and stops them in order. No logic.

| module | what it is |
|---|---|
| `running` | a process, from its start to its end |
| `service` | a gateway that follows its source |
| `cluster` | what is done in a cluster beside serving: elections, status, Events |
| `once` | one look at manifests, compiled |
| `options` | the configuration as each part wants to have it |
"""

from __future__ import annotations

from fastingress.app.once import Snapshot, compile_once
from fastingress.app.options import core_options, translate_options
from fastingress.app.running import run
from fastingress.app.service import Service

__all__ = ["Service", "Snapshot", "compile_once", "core_options", "run", "translate_options"]
