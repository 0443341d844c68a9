"""What an API server would refuse a Secret or a ConfigMap for. Values are never quoted.

A ConfigMap is not refused for one of its entries: ports that serve would close for the sake of the one beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastingress.objects import syntax
from fastingress.objects.config import ConfigMap, Secret
from fastingress.objects.conversion import FieldError, convert

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
    """As on creation, but for its entries."""
    if sum(map(len, config_map.data.values())) > _MOST_BYTES:
        yield f"data: Too long: may not be more than {_MOST_BYTES} bytes"


def sound_entries(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """A ConfigMap without the entries that it would be refused for, and what is wrong with each of these."""
    data = raw.get("data")
    if not isinstance(data, Mapping):
        return raw, []
    faults = {key: fault for key, value in data.items() if (fault := _entry_fault(key, value))}
    if not faults:
        return raw, []
    return {**raw, "data": {key: value for key, value in data.items() if key not in faults}}, [*faults.values()]


def _entry_fault(key: Any, value: Any) -> str:
    if not isinstance(key, str):
        return f"data[{key}]: Invalid type: expected a string as key; put it in quotes"
    for fault in _key_faults([key]):
        return fault
    if isinstance(value, str):
        return ""
    try:
        convert({"data": {key: value}}, ConfigMap)
    except FieldError as error:
        return str(error)
    return ""


def _key_faults(keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        if fault := syntax.data_key_fault(key):
            yield f"data[{key[:253]}]: {fault}"
