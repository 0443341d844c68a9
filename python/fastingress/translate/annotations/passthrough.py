"""TLS that is not terminated here."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import BOOLEAN

SSL_PASSTHROUGH = Annotation(
    "ssl-passthrough",
    BOOLEAN,
    "Send TLS connections to the host on unopened, to the backend of its path `/`; needs `--enable-ssl-passthrough`. "
    "Annotations about requests have no effect on them.",
    default="false",
    scope="host",
)

FAMILY = Family("Pass-through", (SSL_PASSTHROUGH,))
