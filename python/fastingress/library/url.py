"""From a URL, as a person writes it, to what a client would send: host and raw path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from fastingress.errors import UrlError

_OF_PORTS = ("tcp", "udp")
"""Schemes of URLs that ask for a port, and not for a host and a path."""
_SCHEME_ALONE = re.compile(r"(https?|tcp|udp):(?!//)", re.IGNORECASE)
"""What looks like a host and a port, and was not meant so."""
_NEVER_IN_A_HOST = re.compile(r"[\s<>\"{}|\\^`]")
_SUCH_AS = "one is https://shop.example.com/cart, or tcp://:9000 for a port"
_MAY_STAND_IN_A_PATH = "/%:@!$&'()*+,;=~-._"


class Asked(NamedTuple):
    """What a request asks for, as far as routing looks at it."""

    scheme: str
    host: str
    """Lower case, without port; empty when a client sent none."""
    path: str
    """Raw: percent-encoded as it would be on the wire, without the query."""
    query: str = ""

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def asked(url: str, headers: Mapping[str, str]) -> Asked:
    """What a client that was given this URL would ask for. A `Host` among the headers wins, as with curl.

    Characters that may not stand in a path are percent-encoded, as a browser does. Raises `UrlError`.
    """
    if re.search(r"[\x00-\x1f\x7f]", url):
        raise UrlError(f"{url!r}: a URL has no control characters")
    if re.search(r"[\ud800-\udfff]", url):
        raise UrlError(f"{url!r}: a URL is text that can be written as UTF-8")
    parts = _split(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        raise UrlError(f"{url!r}: the scheme is neither http nor https, nor tcp or udp with a port")
    named = next((value for name, value in headers.items() if name.lower() == "host"), None)
    path = quote(parts.path, safe=_MAY_STAND_IN_A_PATH) or "/"
    return Asked(parts.scheme, _ascii(_without_port(named) if named is not None else host), path, parts.query)


def asked_port(url: str) -> tuple[str, int] | None:
    """Protocol and port of a URL that names a port: `tcp://:9000`, `udp://:53`, and `tcp` for `https://host:9000`.

    None for one that names none, as a URL of HTTP need not. Raises `UrlError`.
    """
    parts = _split(url)
    if parts.port:
        return ("udp" if parts.scheme == "udp" else "tcp", parts.port)
    if parts.scheme in _OF_PORTS:
        raise UrlError(f"{url!r}: a port is missing, as in {parts.scheme}://:9000")
    return None


def is_of_port(url: str) -> bool:
    """Whether a URL asks for a port alone: `tcp://:9000`, `udp://:53`."""
    return _split(url).scheme in _OF_PORTS


def _split(url: str) -> SplitResult:
    if not url.strip() or _SCHEME_ALONE.match(url):
        raise UrlError(f"{url!r} is not a URL: {_SUCH_AS}")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise UrlError(f"{url!r}: {error}") from error
    return parts


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host.strip()).strip("[]")


def _ascii(host: str) -> str:
    if _NEVER_IN_A_HOST.search(host):
        raise UrlError(f"{host!r} is not a host name: {_SUCH_AS}")
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise UrlError(f"{host!r} is not a host name: {error}") from error
