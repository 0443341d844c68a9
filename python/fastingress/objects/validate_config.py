"""What an API server would refuse a Secret or a ConfigMap for. Values are never quoted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastingress.objects import syntax
from fastingress.objects.config import ConfigMap, Secret

_MOST_BYTES = 1 << 20
_REQUIRED = {"kubernetes.io/tls": ("tls.crt", "tls.key")}


def secret_faults(secret: Secret) -> Iterator[str]:
    """As on creation."""
    yield from _key_faults(secret.data)
    if sum(map(len, secret.data.values())) > _MOST_BYTES:
        yield f"data: Too long: may not be more than {_MOST_BYTES} bytes"
    for key in _REQUIRED.get(secret.type, ()):
        if key not in secret.data:
            yield f"data[{key}]: Required value"


def config_map_faults(config_map: ConfigMap) -> Iterator[str]:
    """As on creation."""
    yield from _key_faults(config_map.data)
    if sum(map(len, config_map.data.values())) > _MOST_BYTES:
        yield f"data: Too long: may not be more than {_MOST_BYTES} bytes"


def _key_faults(keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        if fault := syntax.data_key_fault(key):
            yield f"data[{key[:253]}]: {fault}"
