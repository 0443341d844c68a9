"""The normal load beside a flood: h2load at a fixed rate, over HTTP/2 and HTTP/1, with and without TLS."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.client import Address
from tests.support.programs import PROGRAMS

CLIENTS = 4
RATE = 25
"""Requests a second of each client."""
GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Counted:
    """What one load saw."""

    name: str
    asked: int
    succeeded: int
    """Answered with 2xx."""
    said: str

    @property
    def errors(self) -> int:
        """Whatever was not answered well."""
        return self.asked - self.succeeded


class Load:
    """Some of them at once."""

    def __init__(self, children: Sequence[tuple[str, int, subprocess.Popen[str]]]) -> None:
        self._children = children

    def counted(self) -> list[Counted]:
        """Waits for their end."""
        return [_read(name, asked, child) for name, asked, child in self._children]


@contextmanager
def normal_load(http: Address, https: Address, seconds: float, path: str = "/") -> Iterator[Load]:
    """Starts asking for `path` for so long: four ways, a hundred requests a second each."""
    ways = {
        "HTTP/1.1": ["--h1", _url("http", http, path)],
        "HTTP/1.1 over TLS": ["--h1", _url("https", https, path)],
        "HTTP/2": [_url("http", http, path)],
        "HTTP/2 over TLS": [_url("https", https, path)],
    }
    asked = max(CLIENTS, int(CLIENTS * RATE * seconds))
    common = ["-n", str(asked), "-c", str(CLIENTS), "--rps", str(RATE), "-m", "4"]
    with ExitStack() as stack:
        children = []
        for name, words in ways.items():
            command = [str(PROGRAMS["h2load"].found), *common, *words]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            stack.callback(_end, child)
            children.append((name, asked, child))
        yield Load(children)


def _url(scheme: str, address: Address, path: str) -> str:
    return f"{scheme}://{address[0]}:{address[1]}{path}"


def _read(name: str, asked: int, child: subprocess.Popen[str]) -> Counted:
    said, _ = child.communicate(timeout=GRACE_SECONDS + asked / CLIENTS / RATE)
    found = re.search(r"status codes: (\d+) 2xx", said)
    return Counted(name, asked, int(found[1]) if found else 0, said)


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.kill()
    child.communicate()
