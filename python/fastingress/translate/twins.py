"""The `www.` twin of a host name."""

from __future__ import annotations

_WWW = "www."


def twin_of(host: str) -> str | None:
    """`example.com` for `www.example.com` and the other way round; None for wildcards and for no host."""
    if not host or host.startswith("*"):
        return None
    if host.startswith(_WWW):
        return host[len(_WWW) :] or None
    return _WWW + host
