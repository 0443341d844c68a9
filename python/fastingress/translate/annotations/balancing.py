"""How an endpoint is chosen."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Draft, Family
from fastingress.translate.annotations.values import one_of
from fastingress.translate.findings import warning

LOAD_BALANCE = Annotation(
    "load-balance",
    one_of("round_robin", "least_requests", "ewma"),
    "Each endpoint in turn, or the one with the fewest requests under way. `ewma` is taken as `least_requests`.",
    default="round_robin",
    scope="path",
)


def _combine(draft: Draft) -> None:
    choice = draft.values.get(LOAD_BALANCE)
    if choice == "ewma":
        message = f"annotation {LOAD_BALANCE.name}: ewma is taken as least_requests, which also avoids slow endpoints"
        draft.findings.append(warning("ApproximatedAnnotation", message))
        choice = "least_requests"
    if choice is not None:
        draft.upstream["balance"] = choice


FAMILY = Family("Load balancing", (LOAD_BALANCE,), _combine)
