"""What comes of a request before an endpoint is asked: redirects, and clients that nobody lets in.

It follows the order in which the data path does these things. What is wrong with a Secret is known from the problems
alone, which manifests and a running gateway tell in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastingress.library.url import Asked
from fastingress.library.views import Explanation, Match, RouteView
from fastingress.problems import Problem

_AS_CERTIFICATE, _AS_AUTHORITY = "the default certificate is served", "is refused"
"""What a problem says comes of it, by what the Secret is for."""


def no_certificate(found: Explanation, problems: Sequence[Problem]) -> str:
    """Why the certificate that is named for the host is not served; empty if nothing is known against it."""
    return _unusable(found.certificate, _AS_CERTIFICATE, problems)


def shut_out(found: Explanation, problems: Sequence[Problem]) -> str:
    """Why clients are refused whatever they show; empty if some may be let in."""
    demand = found.client_auth
    if demand is None:
        return ""
    if not demand.authority:
        return "an annotation auth-tls-* cannot be used"
    return _unusable(demand.authority, _AS_AUTHORITY, problems)


def answer(found: Explanation, request: Asked, problems: Sequence[Problem]) -> str:
    """The answer, if it is not an endpoint's; empty if one is asked."""
    winner = found.winner
    if winner is None:
        return "404"
    if found.passthrough is not None and request.scheme == "https":
        return ""
    first = _elsewhere(found, winner, request)
    if first:
        return first
    if shut_out(found, problems):
        page = found.client_auth.error_page if found.client_auth is not None else None
        return "400" if page is None else f"302 to {page}"
    return _place(found, winner) or ("503" if winner.closed else "")


def has_no_endpoints(route: RouteView) -> bool:
    """Whether none are looked for: it is kept from its Service, or is there to redirect alone."""
    return route.closed or (not route.service and "from-to-www-redirect" in route.policy)


def of_closed(route: RouteView) -> str:
    """The status of a route that is kept from its Service; empty for any other."""
    if not route.closed:
        return ""
    return "400" if route.policy.get("auth-tls-secret") == "" else "503"


def _elsewhere(found: Explanation, winner: Match, request: Asked) -> str:
    """To the twin of the host, then to https."""
    twin = winner.policy.get("from-to-www-redirect")
    if twin is not None and twin != request.host:
        return f"{found.redirect_code} to {request.scheme}://{twin}{request.target}"
    host = request.host or winner.host
    if request.scheme != "http" or not found.https_redirect or not host:
        return ""
    target = request.target if found.compat == "strict" else request.target.removesuffix("/")
    return f"{found.redirect_code} to https://{f'[{host}]' if ':' in host else host}{target}"


def _place(found: Explanation, winner: Match) -> str:
    """The application's root, or a fixed place."""
    root = winner.policy.get("app-root", "/")
    if found.path == "/" and root != "/":
        return f"302 to {root}"
    code, _, location = winner.policy.get("redirect", "").partition(" ")
    return f"{code} to {location}" if location else ""


def _unusable(secret: str | None, effect: str, problems: Sequence[Problem]) -> str:
    if not secret:
        return ""
    begins = (f"Secret {secret} ", f"Secret {secret}: ")
    halves = (one.message.rpartition("; ") for one in problems if one.message.startswith(begins))
    return next((what for what, _, comes_of_it in halves if effect in comes_of_it), "")
