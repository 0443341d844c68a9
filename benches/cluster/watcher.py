"""The bare watcher: a process that reads a watch and does nothing else, to compare with.

It tells when it saw which event, by the clock that all processes of the machine share. As a program: `python -m
benches.cluster.watcher ACCESS`, which writes one line an event: seconds, type, kind and name.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import TracebackType

from benches.cluster.access import Access, from_json

KINDS = ("EndpointSlice", "Ingress", "Secret")
_NAME = b'"name":"'


class Watcher:
    """Starts the process and collects what it tells."""

    def __init__(self, access: Access) -> None:
        self._seen: dict[tuple[str, str, str], float] = {}
        self._arrived = threading.Condition()
        command = [sys.executable, "-m", "benches.cluster.watcher", access.to_json()]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        for _ in KINDS:
            assert self._child.stdout.readline() == "watching\n", "the bare watcher did not start"
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._child.kill()
        self._child.wait()
        self._thread.join(5)

    def forget(self) -> None:
        """What was seen so far does not count."""
        with self._arrived:
            self._seen.clear()

    def seen(self, change: str, kind: str, name: str, deadline: float = 10.0) -> float:
        """When it saw that change of an object; waits for it. Raises `TimeoutError`."""
        key = (change, kind, name)
        with self._arrived:
            if not self._arrived.wait_for(lambda: key in self._seen, deadline):
                raise TimeoutError(f"the bare watcher has not seen {key}")
            return self._seen[key]

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            at, change, kind, name = line.split()
            with self._arrived:
                self._seen[change, kind, name] = float(at)
                self._arrived.notify_all()


def _watch(access: Access, kind: str) -> None:
    lines = access.lines(kind, f"timeoutSeconds=86400&resourceVersion={access.version(kind)}")
    _say("watching\n")
    for line in lines:
        at = time.perf_counter()
        change = line[9 : line.index(b'"', 9)].decode()
        if change == "BOOKMARK":
            continue
        begin = line.index(_NAME) + len(_NAME)
        name = line[begin : line.index(b'"', begin)].decode()
        _say(f"{at!r} {change} {kind} {name}\n")


def _say(line: str) -> None:
    """In one call: the lines of two threads must not mix."""
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    for watched in KINDS:
        threading.Thread(target=_watch, args=(from_json(sys.argv[1]), watched)).start()
