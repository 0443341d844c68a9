"""A gateway that serves a folder of manifests on free ports: in this process, or in one of its own."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import fastingress
from tests.support import manifests
from tests.support.client import Address, RawClient, fetch
from tests.support.eventually import eventually
from tests.support.http1 import Response
from tests.support.manifests import Manifest
from tests.support.metrics import Metrics

T = TypeVar("T")
NOWHERE: Address = ("", 0)


class Folder:
    """The manifests of a gateway that serves a folder of them."""

    folder: Path

    def put(self, name: str, *contents: Manifest) -> None:
        """Moves a file into place. The change is live a moment later: wait with `eventually`."""
        manifests.write(self.folder / f"{name}.yaml", *contents)

    def put_text(self, name: str, text: str) -> None:
        """Writes a file in place, with any text."""
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Deletes a file."""
        (self.folder / f"{name}.yaml").unlink()


class Answering:
    """What a test needs of a running gateway: its addresses, and requests to it."""

    def __init__(self, http: Address, https: Address, admin: Address) -> None:
        self.http = http
        self.https = https
        self.admin = admin

    # requests

    def get(
        self,
        target: str = "/",
        *,
        host: str = "test.example",
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """One plain request on a connection of its own."""
        return fetch(self.http, target, host=host, method=method, headers=headers, body=body)

    def get_tls(
        self,
        context: ssl.SSLContext,
        target: str = "/",
        *,
        host: str = "test.example",
        server_name: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Response:
        """One request over TLS on a connection of its own; the server name is the host unless it is given."""
        return fetch(self.https, target, host=host, headers=headers, tls=context, server_name=server_name)

    def connect(self) -> RawClient:
        """A plain connection."""
        return RawClient(self.http)

    def connect_tls(self, context: ssl.SSLContext, server_name: str) -> RawClient:
        """A connection with TLS."""
        return RawClient(self.https, tls=context, server_name=server_name)

    def until(self, condition: Callable[[], T]) -> T:
        """Waits for a condition."""
        return eventually(condition)

    # what the admin port says

    def ask(self, target: str, *, method: str = "GET") -> Response:
        """A request to the admin port."""
        return fetch(self.admin, target, host="admin.example", method=method)

    def metrics(self) -> Metrics:
        """The metrics page, read."""
        return Metrics(self.ask("/metrics").text)

    def routes(self) -> list[dict[str, Any]]:
        """The route table."""
        found: list[dict[str, Any]] = json.loads(self.ask("/routes").body)
        return found

    def streams(self) -> dict[str, list[dict[str, Any]]]:
        """TCP and UDP services, and hosts whose TLS passes through."""
        found: dict[str, list[dict[str, Any]]] = json.loads(self.ask("/streams").body)
        return found

    def problems(self) -> list[dict[str, Any]]:
        """All that is wrong now."""
        found: list[dict[str, Any]] = json.loads(self.ask("/problems").body)
        return found

    def problem(self, code: str) -> dict[str, Any]:
        """The problem of that code, once there is one."""
        return eventually(
            lambda: next((problem for problem in self.problems() if problem["code"] == code), None) or {},
            what=f"a problem {code}",
        )


class Served(Folder, Answering):
    """A running gateway and the folder that it serves."""

    def __init__(self, folder: Path, http: Address, https: Address, admin: Address) -> None:
        super().__init__(http, https, admin)
        self.folder = folder


@contextmanager
def in_process(folder: Path, **options: Any) -> Iterator[Served]:
    """A `fastingress.Gateway` on free ports of 127.0.0.1; options are its own."""
    chosen: dict[str, Any] = {"bind": ("127.0.0.1",), "access_log": "off", **options}
    with fastingress.Gateway(str(folder), **chosen) as gateway:
        yield Served(folder, *(getattr(gateway, name, NOWHERE) for name in ("http", "https", "admin")))
