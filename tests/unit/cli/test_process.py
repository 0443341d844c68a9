"""A process as its supervisor sees it: signals, and readers that have stopped reading."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.support.eventually import eventually
from tests.unit.cli.commands import GOLDEN

COMMAND = [
    *(sys.executable, "-m", "fastingress", "--manifests", "manifests/shop.yaml", "--bind", "127.0.0.1"),
    *("--http-port", "0", "--https-port", "0", "--admin-port", "0"),
]


class Running:
    def __init__(self, child: subprocess.Popen[bytes], lines: list[str]) -> None:
        self.child = child
        self.lines = lines

    def saw(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def admin_status(self, path: str) -> int:
        port = next(line for line in self.lines if "ready:" in line).split("admin on 127.0.0.1:")[1].split(";")[0]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@contextmanager
def running(*options: str, stdout: int = subprocess.DEVNULL) -> Iterator[Running]:
    child = subprocess.Popen([*COMMAND, *options], cwd=GOLDEN, stdout=stdout, stderr=subprocess.PIPE)
    assert child.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=_collect, args=(child.stderr, lines))
    reader.start()
    try:
        process = Running(child, lines)
        eventually(lambda: process.saw("ready:"))
        yield process
    finally:
        child.kill()
        child.wait(10)
        reader.join(10)
        child.stderr.close()


def _collect(pipe: IO[bytes], lines: list[str]) -> None:
    for line in pipe:
        lines.append(line.decode())  # noqa: PERF401 - it is read while it grows


def test_sigterm_is_not_ready_at_once_and_ends_with_status_0_after_the_delay() -> None:
    with running("--shutdown-delay", "300ms") as process:
        assert process.admin_status("/readyz") == 200
        process.child.send_signal(signal.SIGTERM)
        eventually(lambda: process.saw("not ready any more"))
        assert process.child.wait(20) == 0
        assert process.saw("stopped")


def test_while_the_delay_lasts_it_serves_and_says_that_it_is_not_ready() -> None:
    with running("--shutdown-delay", "60s") as process:
        process.child.send_signal(signal.SIGTERM)
        eventually(lambda: process.admin_status("/readyz") == 503)
        assert process.admin_status("/healthz") == 200
        assert process.child.poll() is None


def test_an_interrupt_skips_the_delay() -> None:
    with running("--shutdown-delay", "60s") as process:
        process.child.send_signal(signal.SIGINT)
        assert process.child.wait(20) == 0


def test_a_second_signal_ends_at_once() -> None:
    with running("--shutdown-delay", "60s") as process:
        process.child.send_signal(signal.SIGTERM)
        eventually(lambda: process.saw("not ready any more"))
        process.child.send_signal(signal.SIGTERM)
        assert process.child.wait(20) == 128 + signal.SIGTERM


def test_a_second_signal_ends_at_once_also_while_python_is_busy() -> None:
    program = """
        import signal, socket
        from fastingress import _core
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        signal.signal(signal.SIGINT, lambda *_: None)
        _core.watch_signals(reading.fileno())
        print("watching", flush=True)
        sum(range(10**13))  # one instruction that holds the interpreter for hours
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"watching\n"
        child.send_signal(signal.SIGINT)
        try:
            eventually(lambda: _signal_until_ended(child))
            assert child.wait(1) == 128 + signal.SIGINT
        finally:
            child.kill()


def _signal_until_ended(child: subprocess.Popen[bytes]) -> bool:
    """Signals that are pending merge, so a second one is sent until one arrives."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    return child.poll() is not None


def test_stdout_and_stderr_that_nobody_reads_do_not_keep_it_from_ending() -> None:
    out_reader, out = os.pipe()
    err_reader, err = os.pipe()
    for pipe in (out, err):
        os.set_blocking(pipe, False)
    child = subprocess.Popen(
        [*COMMAND, "--shutdown-delay", "0", "--log-level", "debug"], cwd=GOLDEN, stdout=out, stderr=err
    )
    try:
        seen = bytearray()
        while b"ready:" not in seen:
            assert child.poll() is None, seen
            seen += os.read(err_reader, 4096)
        for pipe in (out, err):
            _fill(pipe)
            os.set_blocking(pipe, True)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait(10)
        for pipe in (out, err, out_reader, err_reader):
            os.close(pipe)


def _fill(pipe: int) -> None:
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, b"x" * size)
        except BlockingIOError:
            continue
