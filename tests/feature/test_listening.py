"""Where it listens: several addresses, ports that are off, options from the environment, a limit on connections."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.support.client import RawClient, fetch, request_bytes
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.process import Lines, command_of


def test_several_addresses_are_served(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), bind=("127.0.0.1", "127.0.0.2"))
    ready = process.errors.line("ready:")
    places = re.findall(r"\bhttp on ([0-9.]+):([0-9]+)", ready)
    assert [host for host, _ in places] == ["127.0.0.1", "127.0.0.2"]
    for host, port in places:
        assert fetch((host, int(port))).text == "web"


def test_a_port_can_be_off(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")), https_port="off", admin_port="off")
    assert gateway.get("/").text == "web"
    assert gateway.https == gateway.admin == ("", 0)


def test_an_option_may_come_from_the_environment_and_a_flag_beats_it(spawn: Spawn) -> None:
    first = spawn()
    taken = str(first.http[1])
    command = command_of(first.folder)
    with_flag = subprocess.Popen(
        command, env={**os.environ, "FASTINGRESS_HTTP_PORT": taken}, stderr=subprocess.PIPE, text=True
    )
    errors = Lines(with_flag.stderr)
    try:
        errors.line("ready:", while_running=with_flag)
    finally:
        with_flag.kill()
        with_flag.wait()
        errors.close()
    without = [word for at, word in enumerate(command) if "--http-port" not in command[max(at - 1, 0) : at + 1]]
    refused = subprocess.run(
        without,
        env={**os.environ, "FASTINGRESS_HTTP_PORT": taken},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode != 0
    assert taken in refused.stderr


def test_connections_beyond_the_limit_wait_and_are_served_when_there_is_room(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web")), max_connections=2)
    held = [gateway.connect() for _ in range(2)]
    for client in held:
        assert client.send(request_bytes()).response().status == 200
    with RawClient(gateway.http) as waiting:
        waiting.send(request_bytes())
        waiting.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            waiting.response()
        held[0].close()
        waiting.sock.settimeout(20)
        assert waiting.response().status == 200
    held[1].close()
