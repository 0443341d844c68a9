"""A problem as an Event (events.k8s.io/v1) on its object: as plain data, with a name that replicas and restarts share.

Pure: it is told the time and sends nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fastingress.objects import ConfigMap, Ingress, IngressClass, Secret, Service
from fastingress.problems import Problem, shortened
from fastingress.status.microtime import micro_time

_API_VERSIONS = {kind.kind: kind.api_version for kind in (Ingress, IngressClass, Service, Secret, ConfigMap)}
_LONGEST_NAME = 253
_LONGEST_FIELD = 128
_HASH = 16
"""Hexadecimal digits of a name that are a hash."""
_ACTION = "Configure"


def event_name(problem: Problem, controller: str) -> str:
    """Empty for a problem that no Event can show: it must be about an object that a cluster has."""
    ref = problem.object
    if ref is None or ref.kind not in _API_VERSIONS or not ref.uid or "/" in ref.uid or not ref.name:
        return ""
    text = "\0".join((ref.uid, problem.code, problem.message, controller))
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_HASH]
    return f"{ref.name[: _LONGEST_NAME - _HASH - 1].rstrip('.-')}.{digest}"


def namespace_of(problem: Problem) -> str:
    """Where its Event lives. Those on cluster-scoped objects live in `default`."""
    return (problem.object.namespace if problem.object else "") or "default"


def created(problem: Problem, name: str, controller: str, instance: str, wall: float) -> dict[str, Any]:
    """The Event that states it for the first time. `wall` is in seconds since 1970."""
    ref = problem.object
    assert ref is not None
    regarding = {"apiVersion": _API_VERSIONS[ref.kind], "kind": ref.kind, "name": ref.name, "uid": ref.uid}
    if ref.namespace:
        regarding["namespace"] = ref.namespace
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace_of(problem)},
        "eventTime": micro_time(wall),
        "reportingController": controller,
        "reportingInstance": shortened(instance, _LONGEST_FIELD),
        "action": _ACTION,
        "reason": shortened(problem.code, _LONGEST_FIELD),
        "regarding": regarding,
        "note": problem.message,
        "type": "Warning",
    }


def repeated(count: int, wall: float) -> dict[str, Any]:
    """What is patched when it is stated once more. Without a count, 0, the one that is there stays."""
    series: dict[str, Any] = {"lastObservedTime": micro_time(wall)}
    if count:
        series["count"] = count
    return {"series": series}


def count_of(event: Mapping[str, Any]) -> int:
    """How often an Event says that it was stated."""
    series = event.get("series")
    count = series.get("count") if isinstance(series, dict) else None
    return count if isinstance(count, int) else 1
