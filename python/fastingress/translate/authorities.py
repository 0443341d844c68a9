"""Secrets to authorities: whose certificates are trusted, those of clients (`auth-tls-secret`) or those of endpoints
(`proxy-ssl-secret`). What is in the PEM is for the core to judge.
"""

from __future__ import annotations

from fastingress.model import Authority
from fastingress.store import View
from fastingress.translate.findings import Finding, error

_ROOTS, _REVOCATIONS = "ca.crt", "ca.crl"
_EFFECT = "what is to be verified against it is refused"


def translate_authority(view: View, namespace: str, name: str) -> tuple[Authority | None, list[Finding]]:
    """The authority in a Secret; None when there is none, and nothing that needs it is trusted."""
    secret = view.get("Secret", namespace, name)
    if secret is None:
        return None, [error("MissingSecret", f"Secret {namespace}/{name} does not exist; {_EFFECT}")]
    roots = secret.data.get(_ROOTS)
    if not roots:
        return None, [error("InvalidSecret", f"Secret {namespace}/{name} has no {_ROOTS}; {_EFFECT}")]
    return Authority(roots=roots, revocations=secret.data.get(_REVOCATIONS, b"")), []
