"""The syntaxes of names, hosts, paths and addresses. Each function answers what is wrong, or None.

The rules and their wording follow the API server's validation, so that what is accepted here is accepted there.
"""

from __future__ import annotations

import re
import socket
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PORT_NAME = re.compile(r"[a-z0-9-]+")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-',"
    " and must start and end with an alphanumeric character"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character"
)
_FORBIDDEN_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_AT_END = ("/..", "/.")


@lru_cache(4096)
def label_fault(text: str) -> str | None:
    """RFC 1123 label: at most 63 characters."""
    if len(text) > 63:
        return f"{_value(text)}: must be no more than 63 characters"
    return None if _LABEL.fullmatch(text) else f"{_value(text)}: {_LABEL_RULE}"


@lru_cache(4096)
def subdomain_fault(text: str) -> str | None:
    """RFC 1123 subdomain: labels with dots between them, at most 253 characters."""
    if len(text) > 253:
        return f"{_value(text)}: must be no more than 253 characters"
    return None if _SUBDOMAIN.fullmatch(text) else f"{_value(text)}: {_SUBDOMAIN_RULE}"


def host_fault(text: str) -> str | None:
    """A precise host, or a wildcard as the whole first label of one. No address, no port, lower case."""
    if _SUBDOMAIN.fullmatch(text) and len(text) <= 253 and not text[-1].isdigit():
        return None
    if is_ip(text):
        return f"{_value(text)}: must be a DNS name, not an IP address"
    if "*" in text:
        if text.startswith("*.") and "*" not in text[1:] and subdomain_fault(text[2:]) is None:
            return None
        return f"{_value(text)}: a wildcard must be the whole first label, as in '*.example.com'"
    if text.rpartition(":")[0] and text.rpartition(":")[2].isdigit():
        return f"{_value(text)}: must be a DNS name without a port"
    if text != text.lower():
        return f"{_value(text)}: must be lower case; {_SUBDOMAIN_RULE}"
    return subdomain_fault(text)


def path_fault(path: str, path_type: str) -> str | None:
    """The path of an Ingress rule. Under ImplementationSpecific it may be empty, and only how it begins counts."""
    if path_type == "ImplementationSpecific":
        return None if not path or path[0] == "/" else f"{_value(path)}: must be an absolute path"
    if not path.startswith("/"):
        return f"{_value(path)}: must be an absolute path, beginning with '/'"
    for sequence in _FORBIDDEN_IN_PATH:
        if sequence in path:
            return f"{_value(path)}: must not contain '{sequence}'"
    for suffix in _FORBIDDEN_AT_END:
        if path.endswith(suffix):
            return f"{_value(path)}: cannot end with '{suffix}'"
    return None


def port_fault(number: int) -> str | None:
    """A port number."""
    return None if 0 < number < 65536 else f"Invalid value: {number}: must be between 1 and 65535, inclusive"


@lru_cache(1024)
def port_name_fault(text: str) -> str | None:
    """A port name (RFC 6335): at most 15 characters of a-z, 0-9 and '-', at least one letter."""
    if len(text) > 15:
        return f"{_value(text)}: must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(text):
        return f"{_value(text)}: must contain only lower case alphanumeric characters and '-'"
    if not any(character.isalpha() for character in text):
        return f"{_value(text)}: must contain at least one letter"
    if "--" in text or text[0] == "-" or text[-1] == "-":
        return f"{_value(text)}: must not begin or end with '-' nor contain two in a row"
    return None


@lru_cache(4096)
def qualified_name_fault(text: str) -> str | None:
    """The key of a label or an annotation: `name` or `prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    if slash and (fault := subdomain_fault(prefix.lower())) is not None:
        return f"prefix part: {fault}"
    if not name or len(name) > 63 or not _QUALIFIED.fullmatch(name):
        return (
            f"{_value(text)}: the name part must be 1 to 63 alphanumeric characters, '-', '_' or '.',"
            " and must start and end with an alphanumeric character"
        )
    return None


@lru_cache(4096)
def label_value_fault(text: str) -> str | None:
    """The value of a label: empty, or up to 63 characters."""
    if len(text) <= 63 and _LABEL_VALUE.fullmatch(text):
        return None
    return (
        f"{_value(text)}: a label value must be empty or up to 63 alphanumeric characters, '-', '_' or '.',"
        " and must start and end with an alphanumeric character"
    )


def data_key_fault(text: str) -> str | None:
    """The key of an entry of a Secret or a ConfigMap."""
    if len(text) <= 253 and _DATA_KEY.fullmatch(text) and text not in (".", ".."):
        return None
    return f"{_value(text)}: a key must be up to 253 alphanumeric characters, '-', '_' or '.'"


def address_fault(text: str, family: str) -> str | None:
    """An endpoint's address; the family is an `addressType` of an EndpointSlice, or `IP` for any of the two."""
    if family == "FQDN":
        return subdomain_fault(text.removesuffix("."))
    if family in ("IPv4", "IP") and _parses(socket.AF_INET, text):
        return None
    if family in ("IPv6", "IP") and _parses(socket.AF_INET6, text):
        return None
    return f"{_value(text)}: must be a valid {family} address"


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    return _parses(socket.AF_INET, text) or _parses(socket.AF_INET6, text)


def _parses(family: socket.AddressFamily, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def _value(text: str) -> str:
    shown = text if len(text) <= 100 else text[:100] + "..."
    return f'Invalid value: "{shown}"'
