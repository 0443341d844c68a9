"""Who may come in, by address. A value that cannot be read keeps everyone out."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import NETWORKS

ALLOW = Annotation(
    "allowlist-source-range",
    NETWORKS,
    "Only clients of these networks get in; others are answered 403.",
    default="everyone",
    scope="path",
    risk="medium",
    fails="closed",
    aliases=("whitelist-source-range",),
    policy="allow",
)
DENY = Annotation(
    "denylist-source-range",
    NETWORKS,
    "Clients of these networks are answered 403; looked at before the allowlist.",
    default="no one",
    scope="path",
    risk="medium",
    fails="closed",
    policy="deny",
)

FAMILY = Family("Access by address", (ALLOW, DENY))
