"""A gateway in a process of its own, started as a person would: `python -m fastingress`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from tests.support.client import Address
from tests.support.eventually import eventually
from tests.support.gateway import NOWHERE, Answering, Folder

_READY = re.compile(r"ready: (?P<places>[^;]*);")
_PLACE = re.compile(r"(?P<name>http|https|admin) on \[?(?P<host>[0-9a-f.:]+?)\]?:(?P<port>[0-9]+)(?:,|$)")


class Started(Answering):
    """A running gateway process. Its output is collected line by line.

    It has said that it is ready, and at which addresses; unless these are given, in the order http, https, admin.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        *,
        places: tuple[Address, Address, Address] | None = None,
        **popen: Any,
    ) -> None:
        self.child = subprocess.Popen(
            command,
            stdin=popen.pop("stdin", subprocess.DEVNULL),
            stdout=popen.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            **popen,
        )
        self.output = Lines(self.child.stdout) if self.child.stdout else None
        self.errors = Lines(self.child.stderr)
        super().__init__(*(places or self.until_ready()))

    @property
    def pid(self) -> int:
        """The process."""
        return self.child.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.child.send_signal(number)

    def exit_status(self, deadline: float = 40.0) -> int:
        """Waits for the end."""
        return self.child.wait(deadline)

    def close(self) -> None:
        """Ends it, if it has not ended."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(10)
        for lines in (self.output, self.errors):
            if lines is not None:
                lines.close()

    def until_ready(self) -> tuple[Address, Address, Address]:
        """Waits until it says that it is ready; ends it when it does not."""
        try:
            line = self.errors.line(_READY, while_running=self.child)
        except BaseException:
            self.close()
            raise
        places: dict[str, Address] = {}
        for place in _PLACE.finditer(_READY.search(line)["places"]):  # type: ignore[index]
            places.setdefault(place["name"], (place["host"], int(place["port"])))
        return places.get("http", NOWHERE), places.get("https", NOWHERE), places.get("admin", NOWHERE)


class Process(Folder, Started):
    """One that serves a folder of manifests."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], **popen: Any) -> None:
        super().__init__(command, environment, **popen)
        self.folder = folder


class Lines:
    """Reads a pipe on a thread of its own, so that the writer never waits, and keeps its lines."""

    def __init__(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        self.lines: list[str] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """All that came so far."""
        return "".join(self.lines)

    def line(self, pattern: re.Pattern[str] | str, *, while_running: subprocess.Popen[str] | None = None) -> str:
        """The first line in which the pattern is found, once there is one."""
        pattern = re.compile(pattern)

        def found() -> str:
            for line in list(self.lines):
                if pattern.search(line):
                    return line
            if while_running is not None and while_running.poll() is not None:
                self._thread.join(5)
                if not any(pattern.search(line) for line in self.lines):
                    raise RuntimeError(f"exit status {while_running.returncode}:\n{self.text}")
            return ""

        return eventually(found, what=f"a line with {pattern.pattern!r} in {self.text!r}")

    def close(self) -> None:
        """Waits for the end of the pipe."""
        self._thread.join(10)
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            self.lines.append(line)


def command_of(folder: Path, **options: Any) -> list[str]:
    """The command line that serves the folder on free ports of 127.0.0.1, unless the options say otherwise."""
    return command_with(**{"manifests": folder, **options})


def command_with(**options: Any) -> list[str]:
    """The command line with these options as flags, on free ports of 127.0.0.1 unless they say otherwise."""
    chosen = {"http_port": 0, "https_port": 0, "admin_port": 0, "bind": "127.0.0.1", "access_log": "off", **options}
    words = [sys.executable, "-m", "fastingress"]
    for name, value in chosen.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            words += [word for each in value for word in (f"--{flag}", str(each))]
        else:
            words += [f"--{flag}", str(value)]
    return words
