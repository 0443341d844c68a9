"""What can be asked of a table, whether it stands alone or serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from fastingress.errors import UrlError
from fastingress.library.url import Asked, asked
from fastingress.library.views import (
    Explanation,
    Match,
    RouteView,
    decode_explanation,
    decode_match,
    decode_routes,
)

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class Readable(Protocol):
    """`_core.Table` and `_core.Gateway`."""

    def lookup(self, host: str, path: str) -> bytes: ...  # noqa: D102
    def explain(self, host: str, path: str) -> bytes: ...  # noqa: D102
    def routes(self) -> bytes: ...  # noqa: D102


class Reading:
    """Questions to a compiled table."""

    _core: Readable

    def match(self, url: str, *, method: str = "GET", headers: Headers = ()) -> Match | None:
        """The route that takes this request; None when none does, and the answer would be 404.

        A `Host` among `headers` takes the place of the URL's host. No rule of an Ingress looks at the method or at
        other headers yet. Raises `UrlError` for what cannot be a URL, and for a path that the gateway would refuse.
        """
        request = _asked(url, method, headers)
        try:
            return decode_match(self._core.lookup(request.host, request.path))
        except ValueError as error:
            raise UrlError(str(error)) from error

    def explain(self, url: str, *, method: str = "GET", headers: Headers = ()) -> Explanation:
        """Which rule takes this request and why, and why no other does. Raises `UrlError` as `match` does."""
        request = _asked(url, method, headers)
        try:
            return decode_explanation(self._core.explain(request.host, request.path))
        except ValueError as error:
            raise UrlError(str(error)) from error

    @property
    def routes(self) -> list[RouteView]:
        """Every route: by host, those without one last; within a host in the order in which they are tried."""
        return decode_routes(self._core.routes())


def _asked(url: str, method: str, headers: Headers) -> Asked:
    if not method.isascii() or not method.isalpha():
        raise UrlError(f"{method!r} is not a method")
    return asked(url, dict(headers))
