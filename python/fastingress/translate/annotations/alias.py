"""More names for the host of an Ingress."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import HOST_NAMES

# A bad value opens nothing: fewer names are served. So the Ingress itself stays up.
SERVER_ALIAS = Annotation(
    "server-alias",
    HOST_NAMES,
    "More host names for the rules of the first host; a name that another Ingress has rules for stays with that one.",
    scope="host",
    risk="high",
    fails="default",
)

FAMILY = Family("Host names", (SERVER_ALIAS,))
