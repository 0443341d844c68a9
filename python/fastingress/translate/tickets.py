"""A Secret to the keys of session tickets that replicas share. Nothing here prints any of it."""

from __future__ import annotations

import base64
import binascii

from fastingress.model import Tickets
from fastingress.store import View
from fastingress.translate.findings import Finding, error

_ENTRY = "ssl-session-ticket-key"
_LENGTHS = (48, 80)
"""Bytes of a key, as nginx has them."""
_EFFECT = "each process uses keys of its own, and replicas do not take each other's tickets"


def translate_tickets(view: View, namespace: str, name: str) -> tuple[Tickets | None, list[Finding]]:
    """The keys in a Secret: that of `ssl-session-ticket-key` makes tickets, those of entries whose names begin so, such
    as `ssl-session-ticket-key.old`, open them too. Each as it is or in base64. None when there are none to be used.
    """
    secret = view.get("Secret", namespace, name)
    if secret is None:
        return None, [error("MissingSecret", f"Secret {namespace}/{name} does not exist; {_EFFECT}")]
    if not secret.data.get(_ENTRY):
        return None, [error("InvalidSecret", f"Secret {namespace}/{name} has no {_ENTRY}; {_EFFECT}")]
    keys = []
    for entry in sorted(each for each in secret.data if each.startswith(_ENTRY)):
        key = _key(secret.data[entry])
        if key is None:
            message = f"Secret {namespace}/{name}: {entry} has neither 48 nor 80 bytes, plain or in base64; {_EFFECT}"
            return None, [error("InvalidSecret", message)]
        keys.append(key)
    return Tickets(tuple(keys)), []


def _key(data: bytes) -> bytes | None:
    if len(data) in _LENGTHS:
        return data
    try:
        key = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return None
    return key if len(key) in _LENGTHS else None
