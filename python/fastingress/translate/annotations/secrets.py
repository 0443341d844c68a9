"""Annotations that name a Secret."""

from __future__ import annotations

import re

from fastingress.translate.annotations.declare import Annotation, ValueType
from fastingress.translate.findings import Finding, error

_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_SECRET = re.compile(rf"{_NAME}/{_NAME}")


def _secret(text: str) -> str:
    word = text.strip()
    if not _SECRET.fullmatch(word):
        raise ValueError("is not namespace/name of a Secret")
    return word


SECRET = ValueType("Secret", "default/shop-ca", _secret)
"""`namespace/name`."""


def foreign(annotation: Annotation[str], secret: str | None, namespace: str) -> Finding | None:
    """What is wrong with an Ingress of `namespace` that names this Secret, where its own alone is allowed."""
    if secret is None or secret.partition("/")[0] == namespace:
        return None
    message = (
        f"annotation {annotation.name}: Secret {secret} is of another namespace, which needs "
        "--allow-cross-namespace-resources; the routes of this Ingress answer 503 until it is mended"
    )
    return error("ForeignSecret", message)
