"""What changes of a request on its way to the backend: its path, its host, and how paths are read."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import BOOLEAN, HOST_AND_PORT, PATH, REWRITE

REWRITE_TARGET = Annotation(
    "rewrite-target",
    REWRITE,
    "Replace the path; `$1`, `$2` are the captures of the path's regular expression. A full URL redirects there (302).",
    risk="medium",
    policy="rewrite",
)
USE_REGEX = Annotation(
    "use-regex",
    BOOLEAN,
    "Read the paths as regular expressions, anchored at the start, in any case.",
    default="false",
    scope="path",
)
UPSTREAM_VHOST = Annotation(
    "upstream-vhost",
    HOST_AND_PORT,
    "The Host header that the backend sees.",
    default="the client's",
    scope="path",
    policy="upstream_vhost",
)
X_FORWARDED_PREFIX = Annotation(
    "x-forwarded-prefix",
    PATH,
    "The X-Forwarded-Prefix header that the backend sees; with `--compat=ingress-nginx` only beside rewrite-target.",
    scope="path",
    risk="medium",
    policy="x_forwarded_prefix",
)

FAMILY = Family("Paths and hosts towards the backend", (REWRITE_TARGET, USE_REGEX, UPSTREAM_VHOST, X_FORWARDED_PREFIX))
