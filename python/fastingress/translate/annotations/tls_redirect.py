"""Redirects from http to https."""

from __future__ import annotations

from fastingress.translate.annotations.declare import Annotation, Family
from fastingress.translate.annotations.values import BOOLEAN

SSL_REDIRECT = Annotation(
    "ssl-redirect",
    BOOLEAN,
    "Redirect http to https (308) when the host has a certificate.",
    default="true",
    scope="path",
    policy="ssl_redirect",
)
FORCE_SSL_REDIRECT = Annotation(
    "force-ssl-redirect",
    BOOLEAN,
    "Redirect http to https (308) even when the host has no certificate: TLS ends in front of this proxy.",
    default="false",
    scope="path",
    risk="medium",
    policy="force_ssl_redirect",
)

FAMILY = Family("Redirects to https", (SSL_REDIRECT, FORCE_SSL_REDIRECT))
