"""Whether requests go to the ClusterIP of a Service or to the endpoints behind it."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import BOOLEAN

SERVICE_UPSTREAM = Annotation(
    "service-upstream",
    BOOLEAN,
    "Send requests to the ClusterIP of each Service, and leave the choice of an endpoint to the cluster.",
    default="false, or as --service-upstream says",
)

FAMILY = Family("ClusterIP", (SERVICE_UPSTREAM,))
