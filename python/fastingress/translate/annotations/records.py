"""What is recorded of requests."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import BOOLEAN

ACCESS_LOG = Annotation(
    "enable-access-log",
    BOOLEAN,
    "Write an access record for each request.",
    default="true",
    scope="path",
    policy="access_log",
)

FAMILY = Family("Access records", (ACCESS_LOG,))
