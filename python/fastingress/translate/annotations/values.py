"""The kinds of values that annotations take. Each parser gives a value the model can carry, or says why not."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from fastingress.translate.annotations.declare import ValueType

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SIZE = re.compile(r"([0-9]{1,18})([bkmgBKMG]?)")
_SIZE_FACTOR = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:ms|[smhdw])\s*)*(?:[0-9]{1,12})?")
_DURATION_PART = re.compile(r"(\d+)(ms|[smhdw])?")
_UNIT_MS = {"ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_URL_TEMPLATE = re.compile(r"https?://[^/?#$\s]")
_LONGEST_TEMPLATE, _MOST_CAPTURES = 2_048, 32
"""Of a rewrite: what each request pays for is bounded."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CAPTURE = re.compile(r"\$[0-9]")
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_HOST = 253
_MAX_U32 = (1 << 32) - 1
_MAX_U64 = (1 << 64) - 1


def plain_text(text: str) -> str:
    """Text on one line. Raises ValueError for control characters, line ends among them."""
    if _CONTROL.search(text):
        raise ValueError("control characters and line ends are not allowed")
    return text


def host_name(text: str) -> str:
    """A DNS name in lower case. Raises ValueError."""
    name = text.strip().lower()
    if len(name) > _LONGEST_HOST or not _HOST.fullmatch(name):
        raise ValueError(f"{text.strip()!r} is not a host name")
    return name


def csv(text: str) -> list[str]:
    """The items between commas, spaces or line ends."""
    return [item for item in re.split(r"[,\s]+", text) if item]


def _boolean(text: str) -> bool:
    word = text.strip()
    if word in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if word in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("is neither true nor false")


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a size: a number of bytes, or with k, m or g")
    size = int(match[1]) * _SIZE_FACTOR[match[2].lower()]
    if size > _MAX_U64:
        raise ValueError("is too large")
    return size


def _duration(text: str) -> int:
    compact = text.strip()
    if not compact or not _DURATION.fullmatch(compact):
        raise ValueError("is not a time: seconds, or with ms, s, m, h, d or w")
    total = sum(int(number) * _UNIT_MS[unit] for number, unit in _DURATION_PART.findall(compact))
    if not 0 < total <= _MAX_U32:
        raise ValueError("is not between 1 ms and 49 days")
    return total


def _url(text: str) -> str:
    url = plain_text(text.strip())
    if "$" in url:
        raise ValueError("variables such as $request_uri are not known here")
    if " " in url or "\\" in url or '"' in url:
        raise ValueError("has characters that a URL cannot have")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an absolute http or https URL")
    return url


def _path(text: str) -> str:
    path = plain_text(text.strip())
    if not path.startswith("/"):
        raise ValueError("does not begin with /")
    if " " in path or "\\" in path:
        raise ValueError("has characters that a path cannot have")
    return path


def _rewrite(text: str) -> str:
    target = plain_text(text.strip())
    if not target.startswith(("/", "$")) and not _URL_TEMPLATE.match(target):
        raise ValueError("begins neither with / nor with a capture such as $1, and is no http or https URL")
    if " " in target or "\\" in target:
        raise ValueError("has characters that a path cannot have")
    if re.search(r"\$(?![0-9])", target):
        raise ValueError("only captures such as $1 are known, no other variables")
    if len(target) > _LONGEST_TEMPLATE:
        raise ValueError(f"is longer than {_LONGEST_TEMPLATE} characters")
    if target.count("$") > _MOST_CAPTURES:
        raise ValueError(f"has more than {_MOST_CAPTURES} captures")
    if _BAD_ESCAPE.search(target):
        raise ValueError("has a % that two hexadecimal digits do not follow")
    if any(map(_leads_elsewhere, re.split(r"[?#]", target, maxsplit=1)[0].split("/"))):
        raise ValueError("has a segment . or .., which a path towards a backend cannot have")
    return target


def _leads_elsewhere(segment: str) -> bool:
    """Whether a segment is `.` or `..`, escaped or not, or `..` once its captures are empty."""
    plain = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
    return plain in (".", "..") or _CAPTURE.sub("", plain) == ".."


def _networks(text: str) -> tuple[str, ...]:
    """At least one network: an empty list would let everyone in, which nobody who writes only commas means."""
    networks = tuple(dict.fromkeys(_network(item) for item in csv(text)))
    if not networks:
        raise ValueError("names no network, write one such as 10.0.0.0/8")
    return networks


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8") from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return f"{mapped}/{network.prefixlen - 96}"
    return str(network)


def _host_and_port(text: str) -> str:
    value = plain_text(text.strip())
    name, colon, port = value.rpartition(":")
    if not colon:
        return host_name(value)
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError(f"{port!r} is not a port from 1 to 65535")
    if name.startswith("[") and name.endswith("]"):
        return f"[{ipaddress.IPv6Address(name[1:-1])}]:{int(port)}"
    return f"{host_name(name)}:{int(port)}"


def _host_names(text: str) -> tuple[str, ...]:
    names = []
    for item in csv(text):
        if item.startswith("~"):
            raise ValueError(f"{item!r} is a regular expression; list the names, or use *.example.com")
        names.append(f"*.{host_name(item[2:])}" if item.startswith("*.") else host_name(item))
    return tuple(dict.fromkeys(names))


def status_code(first: int, last: int) -> ValueType[int]:
    """A status between two, both included."""

    def parse(text: str) -> int:
        word = text.strip()
        if not (word.isascii() and word.isdecimal() and len(word) <= 3) or not first <= int(word) <= last:
            raise ValueError(f"is not a status from {first} to {last}")
        return int(word)

    return ValueType(f"status {first} to {last}", str(last), parse)


def one_of(*words: str) -> ValueType[str]:
    """One of a few words, in any case."""

    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return word

    return ValueType(" or ".join(f"`{word}`" for word in words), words[0], parse)


BOOLEAN = ValueType("true or false", "true", _boolean)
SIZE = ValueType("size", "8m", _size)
"""Bytes; 0 for no limit."""
DURATION = ValueType("seconds, or a time", "90s", _duration)
"""Milliseconds."""
URL = ValueType("URL", "https://example.com/there", _url)
PATH = ValueType("path", "/app", _path)
REWRITE = ValueType("path with captures", "/$1", _rewrite)
NETWORKS = ValueType("list of networks", "10.0.0.0/8, 192.0.2.7", _networks)
HOST_AND_PORT = ValueType("host", "inner.example.com", _host_and_port)
HOST_NAMES = ValueType("list of host names", "a.example.com, *.b.example.com", _host_names)
