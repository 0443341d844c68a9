"""Secrets to certificates. What is in the PEM is for the core to judge; nothing here prints any of it."""

from __future__ import annotations

from fastingress.model import Certificate
from fastingress.objects import Secret
from fastingress.store import View
from fastingress.translate.findings import Finding, error

CHAIN, KEY, STAPLE = "tls.crt", "tls.key", "tls.ocsp"


def translate_certificate(view: View, namespace: str, name: str) -> tuple[Certificate | None, list[Finding]]:
    """The certificate in a Secret; None when there is none, and the default certificate takes its place."""
    secret = view.get("Secret", namespace, name)
    if secret is None:
        message = f"Secret {namespace}/{name} does not exist; the default certificate is served in its place"
        return None, [error("MissingSecret", message)]
    found = certificate_in(secret)
    if found is None:
        missing = [entry for entry in (CHAIN, KEY) if not secret.data.get(entry)]
        message = (
            f"Secret {namespace}/{name} of type {secret.type} has no {' and no '.join(missing)}; "
            "the default certificate is served in its place"
        )
        return None, [error("InvalidSecret", message)]
    return found, []


def certificate_in(secret: Secret) -> Certificate | None:
    """The certificate and its key, with what is to be stapled; None unless the two are there."""
    chain, key = secret.data.get(CHAIN), secret.data.get(KEY)
    return Certificate(chain=chain, key=key, ocsp=secret.data.get(STAPLE, b"")) if chain and key else None
