"""The same questions, to manifests or to a running gateway."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import msgspec

from fastingress.config import Config
from fastingress.errors import AdminError, ConfigError, UrlError
from fastingress.library.table import RouteTable
from fastingress.library.url import asked
from fastingress.library.views import (
    Explanation,
    PortView,
    RouteView,
    decode_explanation,
    decode_ports,
    decode_routes,
)
from fastingress.problems import Problem

T = TypeVar("T")

_PATIENCE = 10.0

Headers = list[tuple[str, str]]


class Source(Protocol):
    """Something that has a route table."""

    def routes(self) -> list[RouteView]:
        """Every route."""
        ...

    def ports(self) -> list[PortView]:
        """Every TCP and UDP service."""
        ...

    def explain(self, url: str, method: str, headers: Headers) -> Explanation:
        """Which rule takes a request and why."""
        ...

    def problems(self) -> list[Problem]:
        """All that is wrong."""
        ...


def of(admin: str | None, config: Config) -> Source:
    """The running gateway at that address if there is one, else the manifests of the configuration."""
    if admin is not None:
        return _Running(admin)
    if not config.manifests:
        raise ConfigError("--manifests: give files or folders of manifests, or --admin for a running gateway")
    return _Manifests(config)


def headers(lines: Iterable[str]) -> Headers:
    """`NAME: VALUE` each. Raises `ConfigError` for one that is not."""
    made = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ConfigError(f"--header: {line!r} is not of the form 'NAME: VALUE'")
        made.append((name.strip(), value.strip()))
    return made


class _Manifests:
    def __init__(self, config: Config) -> None:
        self._table = RouteTable.from_config(config)

    def routes(self) -> list[RouteView]:
        return self._table.routes

    def ports(self) -> list[PortView]:
        return _judged(self._table.ports, lambda: self._table.problems)

    def explain(self, url: str, method: str, headers: Headers) -> Explanation:
        return self._table.explain(url, method=method, headers=headers)

    def problems(self) -> list[Problem]:
        self._table.verify_certificates()
        return self._table.problems


class _Running:
    def __init__(self, url: str) -> None:
        self._url = (url if "://" in url else f"http://{url}").rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise ConfigError(f"--admin: {url!r} is not a URL such as http://127.0.0.1:10254")

    def routes(self) -> list[RouteView]:
        return self._decoded("/routes", decode_routes)

    def ports(self) -> list[PortView]:
        found = self._decoded("/streams", decode_ports)
        return _judged(sorted(found, key=lambda one: (one.protocol, one.port)), self.problems)

    def explain(self, url: str, method: str, headers: Headers) -> Explanation:
        request = asked(url, dict(headers))
        query = [("url", f"{request.scheme}://{_bracketed(request.host)}{request.path}"), ("method", method)]
        query += [("header", f"{name}: {value}") for name, value in headers]
        return self._decoded("/explain?" + urllib.parse.urlencode(query), decode_explanation)

    def problems(self) -> list[Problem]:
        return self._decoded("/problems", msgspec.json.Decoder(list[Problem]).decode)

    def _decoded(self, target: str, decode: Callable[[bytes], T]) -> T:
        answer = self._ask(target)
        try:
            return decode(answer)
        except msgspec.MsgspecError as error:
            raise AdminError(
                f"--admin: {self._url} is not the admin port of a fastingress of this version: {error}"
            ) from error

    def _ask(self, target: str) -> bytes:
        try:
            with urllib.request.urlopen(self._url + target, timeout=_PATIENCE) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise _refusal(self._url, error) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise AdminError(f"--admin: {self._url} cannot be asked: {reason}") from error
        return content


def _judged(ports: list[PortView], problems: Callable[[], list[Problem]]) -> list[PortView]:
    """Those that would take PROXY headers, and take them from nobody, say so."""
    if not any(port.accept_proxy for port in ports):
        return ports
    told = [one.message for one in problems() if one.code == "UntrustedProxy"]

    def judged(port: PortView) -> PortView:
        start = f"connections to port {port.port} are"
        text = next((text for text in told if port.accept_proxy and start in text), None)
        return msgspec.structs.replace(port, untrusted=text.partition(": ")[2]) if text else port

    return [judged(port) for port in ports]


def _refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    try:
        text = msgspec.json.decode(error.read(), type=dict[str, str])["error"]
    except (msgspec.MsgspecError, KeyError, OSError):
        return AdminError(f"--admin: {url} answered {error.code} {error.reason}")
    return UrlError(text)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
