"""Limits on bodies."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import SIZE

BODY_SIZE = Annotation(
    "proxy-body-size",
    SIZE,
    "The largest request body; a larger one is answered 413. `0` is no limit.",
    default="1m",
    scope="path",
    risk="medium",
    policy="body_limit",
)

FAMILY = Family("Bodies", (BODY_SIZE,))
