"""A gateway process on a folder, and what it tells of itself: its log lines, one JSON object each."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from benches.compare import process

START_DEADLINE = 300.0
EVENT_DEADLINE = 60.0
_PLACE = re.compile(r"(http|https|admin) on 127\.0\.0\.1:([0-9]+)")
_PYTHON = "python"
"""How the names of the threads begin that Python started: those of the data path have names of their own."""

Event = dict[str, Any]
Self = TypeVar("Self", bound="Gateway")
_NOWHERE = ("", 0)


class Gateway:
    """Starts one by its command line, with log lines in JSON, and waits until it is ready."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        began = time.perf_counter()
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.stalls: list[Event] = []
        """Told by a watched process."""
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        try:
            ready = self.event("ready", START_DEADLINE)
        except BaseException:
            self.close()
            raise
        self.start_seconds: float = ready["at"] - began
        self.start_cpu_seconds = process.cpu_nanoseconds(self.child.pid) / 1e9
        """Of the process when it was ready."""
        places = {name: ("127.0.0.1", int(port)) for name, port in _PLACE.findall(ready["message"])}
        self.http = places["http"]
        self.https = places.get("https", _NOWHERE)
        self.admin = places["admin"]

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def event(self, name: str, deadline: float = EVENT_DEADLINE) -> Event:
        """The next event of that name; others before it are passed over. Raises `TimeoutError`, `EOFError`."""
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                raise EOFError(f"the gateway ended with status {self.child.wait()}")
            if event["event"] == name:
                return event
        raise TimeoutError(f"no {name!r} within {deadline:g} s")

    def control_cpu_seconds(self) -> float:
        """Processor time of the threads of the control plane so far."""
        total = 0
        for task in Path(f"/proc/{self.child.pid}/task").iterdir():
            if (task / "comm").read_text(encoding="utf-8").startswith(_PYTHON):
                total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        return total / 1e9

    def memory_bytes(self) -> int:
        """Resident, shared pages by share."""
        return process.memory_bytes(self.child.pid)

    def close(self) -> None:
        """Ends it."""
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self._thread.join(10)
        if self.child.stderr is not None:
            self.child.stderr.close()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            at = time.perf_counter()
            try:
                event = json.loads(line)
            except ValueError:
                event = {"message": line.rstrip(), "level": "error"}
            if event.get("level") in ("error", "warning"):
                print(f"the gateway says: {event['message']}", file=sys.stderr)
            name = "ready" if event.get("message", "").startswith("ready:") else event.get("event", "")
            if name == "stall":
                self.stalls.append(event)
            else:
                self._events.put({**event, "event": name, "at": at})
        self._events.put(None)


class Served(Gateway):
    """A gateway on a folder. With `watched`, it tells when its loop was held up as well."""

    def __init__(self, folder: Path, *, watched: bool = False) -> None:
        module = "benches.scale.watched" if watched else "fastingress"
        command = [sys.executable, "-m", module, f"--manifests={folder}", "--bind=127.0.0.1", "--http-port=0"]
        command += ["--https-port=off", "--admin-port=0", "--workers=1", "--access-log=off"]
        command += ["--log-level=debug", "--log-format=json", "--shutdown-delay=0s"]
        super().__init__(command)
