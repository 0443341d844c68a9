"""What a controller's access log tells of its requests; it is to be started with `access_log="json"`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.cluster.support.controller import Controller
from tests.cluster.support.load import Load
from tests.support.eventually import eventually

_TOLD = ("time", "method", "status", "reason", "endpoint", "tries", "connect_ms", "upstream_ms", "duration_ms")


def records(gateway: Controller, load: Load) -> list[dict[str, Any]]:
    """The lines so far, once there is one for every request of the load, those counted that were not written."""
    assert gateway.output
    lines = gateway.output.lines
    wanted = load.answered.total() + len(load.failures)
    eventually(lambda: len(lines) + gateway.metric("fastingress_access_log_dropped_total") >= wanted)
    return [json.loads(line) for line in list(lines)]


def reasons(gateway: Controller, load: Load, method: str = "") -> Counter[str]:
    """Why requests were not answered by a pod, and how often."""
    return Counter(
        each["reason"] or str(each["status"])
        for each in records(gateway, load)
        if each["status"] != 200 and method in ("", each["method"])
    )


def told(gateway: Controller, load: Load) -> str:
    """What the log says of requests without an answer 200, for the message of a failure."""
    bad = [each for each in records(gateway, load) if each["status"] != 200]
    return "\n".join(str({name: each[name] for name in _TOLD}) for each in bad)
