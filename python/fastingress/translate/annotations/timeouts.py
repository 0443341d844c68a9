"""How long to wait for a backend."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import DURATION

CONNECT = Annotation(
    "proxy-connect-timeout",
    DURATION,
    "How long connecting to an endpoint may take.",
    default="5",
    scope="path",
    upstream="connect_timeout_ms",
)
READ = Annotation(
    "proxy-read-timeout",
    DURATION,
    "How long a backend may be silent between two reads.",
    default="60",
    scope="path",
    upstream="read_timeout_ms",
)
SEND = Annotation(
    "proxy-send-timeout",
    DURATION,
    "How long a backend may take nothing between two writes.",
    default="60",
    scope="path",
    upstream="send_timeout_ms",
)

FAMILY = Family("Timeouts", (CONNECT, READ, SEND))
