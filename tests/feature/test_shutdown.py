"""Start and stop: ports that are taken, SIGTERM under load, a second signal, an interrupt."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

import pytest

from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.process import command_of


def never_answer(exchange: Exchange) -> None:
    exchange.wait_for_close()
    exchange.close()


def test_sigterm_finishes_what_is_in_flight_and_exits_0(spawn: Spawn, backends: Backends) -> None:
    go_on = threading.Event()

    def slow(exchange: Exchange) -> None:
        exchange.read_body()
        assert go_on.wait(20)
        exchange.answer(200, b"late")

    backend = backends("web", slow)
    process = spawn(service("web", backend), ingress("web", Rule("web")), shutdown_delay=0)
    with process.connect() as client:
        client.send(request_bytes())
        eventually(lambda: backend.requests)
        process.signal(signal.SIGTERM)
        eventually(lambda: process.errors.line("draining"))
        go_on.set()
        answer = client.response()
        assert (answer.status, answer.text) == (200, "late")
        assert answer.header("connection") == "close"
    assert process.exit_status() == 0


def test_during_the_delay_it_is_not_ready_and_serves(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), shutdown_delay=3600)
    assert process.ask("/readyz").status == 200
    process.signal(signal.SIGTERM)
    eventually(lambda: process.ask("/readyz").status == 503)
    assert process.get("/").status == 200
    process.signal(signal.SIGTERM)
    assert process.exit_status() == 128 + signal.SIGTERM


def test_no_new_connection_is_reset_even_with_standard_output_blocked(spawn: Spawn, backends: Backends) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    process = spawn(
        service("web", backends("web")),
        ingress("web", Rule("web")),
        shutdown_delay=0.5,
        access_log="json",
        stdout=writing,
    )
    os.close(writing)
    outcomes: list[str] = []

    def ask_until_refused() -> None:
        while True:
            try:
                client = RawClient(process.http)
            except ConnectionRefusedError:
                return
            with client:
                try:
                    outcomes.append(str(client.send(request_bytes()).response().status))
                except (OSError, AssertionError) as error:
                    outcomes.append(repr(error))

    askers = [threading.Thread(target=ask_until_refused) for _ in range(4)]
    for asker in askers:
        asker.start()
    eventually(lambda: len(outcomes) > 50)
    process.signal(signal.SIGTERM)
    assert process.exit_status() == 0
    for asker in askers:
        asker.join(20)
    os.close(reading)
    assert set(outcomes) == {"200"}


def test_an_idle_kept_connection_does_not_hold_up_the_end(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), shutdown_delay=0, drain_timeout=3600)
    with process.connect() as client:
        assert client.send(request_bytes()).response().status == 200
        process.signal(signal.SIGTERM)
        assert process.exit_status() == 0


def test_what_does_not_end_in_time_is_cut(spawn: Spawn, backends: Backends) -> None:
    backend = backends("web", never_answer)
    process = spawn(service("web", backend), ingress("web", Rule("web")), shutdown_delay=0, drain_timeout=0.3)
    with process.connect() as client:
        client.send(request_bytes())
        eventually(lambda: backend.requests)
        process.signal(signal.SIGTERM)
        assert process.exit_status() == 0


def test_sigquit_ends_in_good_order(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), shutdown_delay=0)
    process.signal(signal.SIGQUIT)
    assert process.exit_status() == 0
    assert process.errors.line("SIGQUIT: not ready any more")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2], ids=lambda number: number.name)
def test_a_signal_to_reload_ends_nothing_and_is_answered(
    spawn: Spawn, backends: Backends, number: signal.Signals
) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")))
    for _ in range(2):
        process.signal(number)
        assert process.errors.line(f"{number.name}: (nothing is to be|there (is|are) no)")
        assert process.get("/").status == 200


def test_it_ends_with_its_terminal(spawn: Spawn) -> None:
    ours, theirs = os.openpty()
    process = spawn(stdin=theirs)
    os.close(theirs)
    process.signal(signal.SIGHUP)
    assert process.exit_status() == 0
    assert process.errors.line("SIGHUP: not ready any more, accepting for another 0s")
    os.close(ours)


def test_an_interrupt_stops_at_once_and_without_a_traceback(spawn: Spawn) -> None:
    process = spawn(shutdown_delay=3600)
    process.signal(signal.SIGINT)
    assert process.exit_status() == 0
    assert "Traceback" not in process.errors.text


@pytest.mark.parametrize("port", ["http", "https", "admin"])
def test_a_port_in_use_is_a_clear_error(spawn: Spawn, port: str) -> None:
    first = spawn()
    taken = getattr(first, port)[1]
    command = command_of(first.folder, **{f"{port}_port": taken})
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert f"--{port}-port" in second.stderr
    assert str(taken) in second.stderr
    assert "Traceback" not in second.stderr
    assert first.ask("/healthz").status == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"http_port": "many"}, "--http-port"),
        ({"ssl_protocols": "SSLv3"}, "--ssl-protocols"),
        ({"ssl_ciphers": "ROT13"}, "--ssl-ciphers"),
        ({"trusted_proxies": "everyone"}, "--trusted-proxies"),
        ({"manifests": "/does/not/exist"}, "--manifests"),
    ],
)
def test_a_bad_flag_is_a_clear_error(spawn: Spawn, options: dict[str, str], said: str) -> None:
    with pytest.raises(RuntimeError) as failure:
        spawn(**options)
    assert said in str(failure.value)
    assert "Traceback" not in str(failure.value)
