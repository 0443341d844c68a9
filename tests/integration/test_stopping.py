"""Ends: under new connections with a log that nobody reads, with idle connections, and at once while Python is busy."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
from contextlib import ExitStack

from tests.support import proc
from tests.support.client import RawClient, request_bytes
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.scale import Plan

PIPE = 4096
CLIENTS = 6
IDLE = 50


def is_full(pipe: int) -> bool:
    """True when a write to it would block."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return not poll.poll(0)


def test_sigterm_under_new_connections_and_with_a_blocked_log(spawn: Spawn, backends: Backends) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
    outcomes: list[str] = []

    def ask_until_refused(address: tuple[str, int]) -> None:
        while True:
            try:
                client = RawClient(address)
            except ConnectionRefusedError:
                return
            with client:
                try:
                    outcomes.append(str(client.send(request_bytes()).response().status))
                except (OSError, AssertionError) as error:
                    outcomes.append(repr(error))

    try:
        process = spawn(
            service("web", backends("web")),
            ingress("web", Rule("web")),
            stdout=writing,
            access_log="json",
            shutdown_delay=0.5,
            workers=2,
        )
        askers = [threading.Thread(target=ask_until_refused, args=(process.http,)) for _ in range(CLIENTS)]
        for asker in askers:
            asker.start()
        process.until(lambda: is_full(writing))
        enough = len(outcomes) + 200
        process.until(lambda: len(outcomes) > enough)
        process.signal(signal.SIGTERM)
        assert process.exit_status() == 0
        for asker in askers:
            asker.join(20)
        assert set(outcomes) == {"200"}
        assert "Traceback" not in process.errors.text
    finally:
        os.close(reading)
        os.close(writing)


def test_idle_connections_end_in_order(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), shutdown_delay=0, workers=2)
    with ExitStack() as stack:
        clients = [stack.enter_context(process.connect()) for _ in range(IDLE)]
        for client in clients[::2]:  # the others have not said anything yet
            assert client.send(request_bytes()).response().status == 200
        process.signal(signal.SIGTERM)
        assert all(client.is_closed() for client in clients)
        assert process.exit_status() == 0


def test_a_second_signal_ends_it_while_python_is_busy(spawn: Spawn) -> None:
    process = spawn(shutdown_delay=3600)
    before = proc.cpu_seconds(process.pid)
    Plan(ingresses=3000).write(process.folder)
    process.until(lambda: proc.cpu_seconds(process.pid) > before + 0.3)
    process.signal(signal.SIGTERM)
    # Taken, though perhaps not seen by Python yet; two that wait to be taken would be one.
    process.until(lambda: not proc.is_pending(process.pid, signal.SIGTERM))
    process.signal(signal.SIGTERM)
    assert process.exit_status(10) == 128 + signal.SIGTERM
    assert "Traceback" not in process.errors.text
