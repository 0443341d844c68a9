"""A process that lacks descriptors, threads or memory, or whose standard streams are closed or full."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastingress.errors import StartError, worded
from fastingress.sources.manifests import ManifestSource, watching
from tests.unit.cli.commands import GOLDEN, run

FREE = ["--manifests", "manifests", "--bind", "127.0.0.1", "--http-port", "0", "--https-port", "0", "--admin-port", "0"]

WITHOUT_THREADS = """
import sys, threading
from fastingress.cli import main
real = threading.Thread.start
def start(thread):
    if thread.name.startswith({name!r}):
        raise RuntimeError("can't start new thread")
    real(thread)
threading.Thread.start = start
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("name", ["log", "publish", "asyncio", ""])
def test_a_thread_that_cannot_be_started_ends_the_start_in_one_line(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS.format(name=name), *FREE, "--log-level", "error"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=GOLDEN,
    )
    assert done.returncode == 1, done.stderr
    assert "no thread can be started: raise the limits" in said(done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("descriptors", [10, 20])
def test_too_few_descriptors_end_the_start_in_one_line(descriptors: int) -> None:
    done = run(*FREE, "--workers", "1", "--log-level", "error", prelude=f"ulimit -n {descriptors};")
    assert done.returncode == 1, done.stderr
    assert "Too many open files" in said(done.stderr)
    assert "Traceback" not in done.stderr


def test_a_trace_is_shown_to_who_debugs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS.format(name="log"), *FREE, "--log-level", "debug"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=GOLDEN,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    said(done.stderr)


@pytest.mark.parametrize(
    ("may_open_more", "says"), [(True, "fs.inotify.max_user_instances"), (False, "limit on open files")]
)
def test_the_limit_that_is_to_blame_is_named(
    may_open_more: bool, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(watching, "Inotify", refuse)
    monkeypatch.setattr(watching, "_may_open_more", lambda: may_open_more)

    async def watch() -> None:
        await anext(ManifestSource([str(tmp_path)]).watch())

    with pytest.raises(StartError, match=says):
        asyncio.run(watch())


def test_what_is_not_foreseen_is_worded_with_its_kind() -> None:
    assert worded(MemoryError()) == "out of memory"
    assert worded(KeyError("x")) == "KeyError: 'x'"
    assert worded(OSError(28, "x", "there")) == "there: No space left on device"


COMMANDS = [
    ("routes", "manifests"),
    ("routes", "manifests", "--output", "json"),
    ("check", "manifests/shop.yaml"),
    ("explain", "http://shop.example.com/", "--manifests", "manifests"),
    ("--version",),
    ("--help",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_output_that_cannot_be_written_is_one_line_and_status_1(command: tuple[str, ...]) -> None:
    done = run(*command, prelude="exec >/dev/full;")
    assert done.returncode == 1
    assert done.stderr == "fastingress: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_closed_standard_output_is_nobody_who_listens(command: tuple[str, ...]) -> None:
    done = run(*command, prelude="exec >&-;")
    assert (done.returncode, done.stderr) == (run(*command).returncode, "")


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "é.yaml").write_text("kind: [", "utf-8")
    done = run("check", str(tmp_path), environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert "\\xe9.yaml:" in done.stdout
    assert done.stderr == ""


def test_standard_descriptors_that_are_closed_are_not_given_to_others() -> None:
    program = """
import os, sys
sys.argv = ["fastingress", "--version"]
from fastingress.__main__ import main
try:
    main()
except SystemExit:
    os.write(7, repr([os.path.realpath(f"/proc/self/fd/{number}") for number in range(3)]).encode())
"""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as answer:
        shell = f'exec 7>&{writing} 0<&- 1>&- 2>&-; exec "$@"'
        command = ["bash", "-c", shell, "bash", sys.executable, "-c", program]
        subprocess.run(command, pass_fds=[writing], timeout=60, check=False)
        os.close(writing)
        assert answer.read() == repr(["/dev/null"] * 3).encode()


def test_an_interrupt_amid_the_start_ends_it_without_a_word() -> None:
    program = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests themselves run with it ignored
sys.argv = ["fastingress", "--version"]
from fastingress.__main__ import main
real = builtins.__import__
def load(name, *rest):
    if name == "fastingress.cli":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = load
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def said(stderr: str) -> str:
    """The one line that is not of the log."""
    lines = [line for line in stderr.splitlines() if line.startswith("fastingress: ")]
    assert len(lines) == 1, stderr
    return lines[0]
