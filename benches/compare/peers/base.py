"""What a proxy under test has in common with the others: it is configured, started on a core of its own, looked at."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from benches.compare import process, programs
from benches.compare.certificate import Pair
from benches.compare.cores import PROXY_CORE
from benches.compare.scenario import PLAIN, Site, Way

# Each peer sets these on every request, from what it knows itself and not from what the client claims; but we keep a
# client's X-Request-ID, and Traefik makes none.
FORWARDED = (
    "X-Request-ID",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "X-Scheme",
)
ADDED = "added.example.com"
"""The host whose route changes, when routes are `changing`."""
HSTS = "max-age=31536000; includeSubDomains"
"""What every answer over TLS says in Strict-Transport-Security."""


class Peer(ABC):
    """A proxy in front of one backend on loopback, listening on ports of loopback, with one worker."""

    name: str
    program: str
    """What must be installed: a Debian package of the same name, or one of `programs.FROM_PYPI`."""
    lacks: frozenset[str] = frozenset()
    """Forwarded headers that it has no way to make: that work it does not do."""
    logs = True
    """It can write an access log."""
    is_floor = False
    """It moves bytes and is no proxy: not to be beaten, but to be near to."""

    def __init__(self, folder: Path, backend: int, pair: Pair, way: Way, site: Site = PLAIN) -> None:
        self.folder = folder
        self.way = way
        """How clients will speak to it. Streams need a configuration of their own."""
        self.site = site
        self.port = free_port()
        """HTTP/1.1."""
        self.h2c_port = free_port()
        """HTTP/2 by prior knowledge, for a peer that cannot tell it from HTTP/1.1 on one port."""
        self.tls_port = free_port()
        self.stream_port = free_port()
        """TLS that passes through, or a TCP service."""
        self.backend = backend
        self.pair = pair
        self.failure = ""
        """Why it is measured no more."""
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Of the program that is run."""

    @classmethod
    def caveat(cls) -> str:
        """Why its figures are not those of what people run, if they are not."""
        return ""

    @abstractmethod
    def command(self) -> list[str]:
        """Writes the configuration into `folder`; the command that then stays in the foreground."""

    @classmethod
    def needs(cls, way: Way) -> set[str]:
        """Programs and modules, to be had from wherever they come from, without which it cannot serve clients so."""
        del way
        return {cls.program}

    def port_of(self, way: Way) -> int:
        """The port for clients that speak so."""
        plain = dict.fromkeys(("http1", "websocket", "changing"), self.port)
        streams = dict.fromkeys(("passthrough", "tcp"), self.stream_port)
        return {**plain, "h2c": self.h2c_port, **streams}.get(way, self.tls_port)

    @classmethod
    def missing(cls, way: Way) -> str:
        """What has to be installed before clients can be served so; empty when all is there."""
        return "" if programs.path(cls.program) else f"no {cls.program} is installed"

    @classmethod
    def path(cls) -> str:
        """Of the program, which is installed."""
        return programs.path(cls.program) or cls.program

    @classmethod
    def say(cls, *arguments: str) -> str:
        """What the program prints."""
        return subprocess.run([cls.path(), *arguments], capture_output=True, text=True, check=True, timeout=30).stdout

    def environment(self) -> dict[str, str]:
        """Variables that it needs besides."""
        return {}

    @property
    def log(self) -> Path:
        """The access log, if the site has one. It may be shortened at any time: it is only added to."""
        return self.folder / "access.log"

    @property
    def pid(self) -> int:
        """The process that was started; workers may be its children."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        self.folder.mkdir(parents=True)
        with (self.folder / "output").open("ab") as output:
            command = ["taskset", "-c", str(PROXY_CORE), *self.command()]
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment()},
            )
        wait_for_port(self.port_of(self.way), self._child, self.folder / "output")

    def demand_alive(self) -> None:
        """Raises `SystemExit` when the process that was started has ended: others may answer on, and are not seen."""
        if self._child is not None and (status := self._child.poll()) is not None:
            raise SystemExit(f"{self.name}: it has ended, with {status}")

    def reroute(self, number: int) -> None:
        """Leads what is below `added_path(number)` of the added host to the backend, and no other path of it any more,
        in its own way to change what it does while it serves. Returns when that is asked for, and may be before it is.

        Only for routes that are `changing`, which start with number 0.
        """
        raise NotImplementedError(f"{self.name} has no routes")

    def stop(self) -> None:
        """Ends it and its children."""
        if self._child is not None:
            process.end(self._child)


def added_path(number: int) -> str:
    """The path that is led to the backend; none begins with another."""
    return f"/at-{number:06}"


def replace(path: Path, text: str) -> None:
    """A file with another content, at once for whoever reads it."""
    path.parent.mkdir(exist_ok=True)
    made = path.parents[1] / f"{path.name}.new"  # beside the folder, which may be watched
    made.write_text(text, encoding="utf-8")
    made.replace(path)


_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nothing listens on now. No port is given twice: it may be a while before it is used."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def wait_for_port(port: int, child: subprocess.Popen[bytes], output: Path) -> None:
    """Returns when the port takes connections; raises `SystemExit` with the program's output when it does not."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if child.poll() is not None:
                break
            time.sleep(0.02)
        else:
            return
    process.end(child)
    raise SystemExit(f"{child.args!r} did not start:\n{output.read_text(errors='replace')}")
