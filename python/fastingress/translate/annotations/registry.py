"""All families, in the order in which they are applied and documented."""

from __future__ import annotations

from typing import Any

from fastingress.translate.annotations import (
    access,
    alias,
    backend_tls,
    balancing,
    bodies,
    client_certificates,
    endpoints,
    headers,
    passthrough,
    protocol,
    records,
    redirects,
    rewrites,
    service_upstream,
    timeouts,
    tls_redirect,
)
from fastingress.translate.annotations.declare import Annotation, Family

FAMILIES: tuple[Family, ...] = (
    tls_redirect.FAMILY,
    passthrough.FAMILY,
    redirects.FAMILY,
    rewrites.FAMILY,
    access.FAMILY,
    client_certificates.FAMILY,
    bodies.FAMILY,
    timeouts.FAMILY,
    balancing.FAMILY,
    protocol.FAMILY,
    backend_tls.FAMILY,
    service_upstream.FAMILY,
    headers.FAMILY,
    alias.FAMILY,
    records.FAMILY,
    endpoints.FAMILY,
)

NAMES: dict[str, Annotation[Any]] = {
    name: annotation
    for family in FAMILIES
    for annotation in family.annotations
    for name in (annotation.name, *annotation.aliases)
}
"""Every key that is read, without prefix, aliases included."""

FAMILY_OF: dict[str, Family] = {
    annotation.name: family for family in FAMILIES for annotation in family.annotations if family.combine
}
"""The family to combine when an annotation is given; only of families that combine."""
