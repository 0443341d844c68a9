"""Secrets to what we show to endpoints that ask who we are (`proxy-ssl-secret`).

The Secret may also hold roots alone: then there is nothing to show, which is no problem.
"""

from __future__ import annotations

from fastingress.model import Certificate
from fastingress.store import View
from fastingress.translate.certificates import CHAIN, KEY, certificate_in
from fastingress.translate.findings import Finding, error

_EFFECT = "no certificate is shown to endpoints"


def translate_identity(view: View, namespace: str, name: str) -> tuple[Certificate | None, list[Finding]]:
    """The certificate in a Secret; None when there is none to show."""
    secret = view.get("Secret", namespace, name)
    if secret is None:
        return None, [error("MissingSecret", f"Secret {namespace}/{name} does not exist; {_EFFECT}")]
    found = certificate_in(secret)
    if found is not None:
        return found, []
    half = [entry for entry in (CHAIN, KEY) if secret.data.get(entry)]
    if not half and secret.data.get("ca.crt"):
        return None, []
    has = f"has {half[0]} and no {KEY if half == [CHAIN] else CHAIN}" if half else f"has neither {CHAIN} nor ca.crt"
    return None, [error("InvalidSecret", f"Secret {namespace}/{name} {has}; {_EFFECT}")]
