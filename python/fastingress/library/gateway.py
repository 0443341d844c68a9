"""A gateway within a program: for tests, and for programs that want an ingress of their own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final

from fastingress.app import Service
from fastingress.config import from_options
from fastingress.errors import StartError
from fastingress.library.reading import Reading
from fastingress.problems import Problem

Address = tuple[str, int]

_DEFAULTS: Final[dict[str, Any]] = {
    "bind": ("127.0.0.1",),
    "http_port": 0,
    "https_port": 0,
    "admin_port": 0,
    "workers": 1,
    "access_log": "off",
    "drain_timeout": 5.0,
}
_LOOK_AGAIN = 0.01


class Gateway(Reading):
    """A running gateway on free ports of the loopback address, which follows edits of its manifests.

    >>> with Gateway("examples/shop") as gateway:
    ...     urllib.request.urlopen(gateway.http_url)

    `options` are those of the command line, as keyword arguments; what differs from there by default: the ports are
    free ones of 127.0.0.1, there is one worker, and no access log. Signals are left alone; logs go to the logger
    `fastingress`. The control plane lives in a thread of its own. A gateway serves once: it cannot be entered again.
    """

    def __init__(self, manifests: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], **options: Any) -> None:
        """Only notes what is wanted. Raises `ConfigError` and, for an unknown option, `TypeError`."""
        paths = [manifests] if isinstance(manifests, (str, os.PathLike)) else list(manifests)
        self._config = from_options({**_DEFAULTS, **options, "manifests": [os.fspath(path) for path in paths]})
        self._service: Service
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event
        self._started: threading.Event = threading.Event()
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._addresses: dict[str, list[Address]] = {}

    def start(self) -> None:
        """Bind, read the manifests, serve; returns when it is ready. Raises `ConfigError`, `StartError`."""
        if self._thread is not None:
            raise StartError("this gateway was started before: make a new one")
        self._thread = threading.Thread(target=self._run, name="fastingress", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Stop accepting, let requests in flight end for at most `drain_timeout`, end. A second call does nothing."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def http(self) -> Address:
        """Where plain HTTP is served: host and port."""
        return self._address("http")

    @property
    def https(self) -> Address:
        """Where TLS is served: host and port."""
        return self._address("https")

    @property
    def admin(self) -> Address:
        """Where the admin port is: host and port."""
        return self._address("admin")

    @property
    def http_url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return _url("http", self.http)

    @property
    def https_url(self) -> str:
        """`https://127.0.0.1:PORT`."""
        return _url("https", self.https)

    @property
    def admin_url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return _url("http", self.admin)

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong now, by file and line."""
        return self._in_loop(self._service.book.problems)

    @property
    def digest(self) -> str:
        """Of all that is served: equal for equal manifests."""
        return self._service.core.digest()

    @property
    def metrics(self) -> str:
        """All counters, in the Prometheus text format."""
        return self._service.core.metrics()

    def wait_for(self, condition: Callable[[Gateway], object], timeout: float = 5.0) -> None:
        """Wait until `condition(gateway)` is true: an edit of a manifest is live some milliseconds after it was made.

        Raises `TimeoutError` when it is not within `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while not condition(self):
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"still not the case after {timeout:g} s")
            with self._changed:
                self._changed.wait(min(left, _LOOK_AGAIN))

    def _address(self, name: str) -> Address:
        found = self._addresses.get(name)
        if not found:
            raise AttributeError(f"there is no {name} port: the gateway is not started, or was started without one")
        return found[0]

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # handed to whoever waits in `start` or `stop`
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._service = service = Service(self._config, published=self._note)
        try:
            self._core = service.core
            await service.start()
            self._addresses = service.core.addresses()
            self._started.set()
            await self._stopping.wait()
            await service.stop(drain=self._config.drain_timeout)
        finally:
            await service.close()

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _in_loop(self, ask: Callable[[], list[Problem]]) -> list[Problem]:
        if self._thread is None or not self._thread.is_alive():
            return ask()

        async def call() -> list[Problem]:
            return ask()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()


def _url(scheme: str, address: Address) -> str:
    host, port = address
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
