"""The bulk scenarios: their backend gives and takes whole bodies, and a transfer that is not whole ends the run."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from benches.compare import bulk, bulk_backend, certificate
from benches.compare.backend import Backend
from benches.compare.backend import bulk as started
from benches.compare.correct import HOST
from benches.compare.peers import Peer
from benches.compare.peers.base import free_port
from benches.compare.peers.nginx import Nginx
from benches.compare.scenario import Bulk, Direction
from benches.compare.scenarios import SCENARIOS

MIB = 1 << 20


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a backend whose bodies have 2 MiB."""
    port, tls = free_port(), request.param
    backend: Backend = started(tmp_path / "backend", port, 2, certificate.issue(HOST) if tls else None)
    yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/bulk"
    backend.stop()


def scenario(direction: Direction) -> Bulk:
    """Over HTTP/1.1, of 100 MiB."""
    (found,) = (each for each in SCENARIOS if isinstance(each, Bulk) and each.name == f"bulk-http1-{direction}")
    return replace(found, mib=100)


def test_the_backend_gives_and_takes_on_one_connection(address: str) -> None:
    with httpx.Client(verify=False, trust_env=False) as client:
        for _ in range(2):
            assert client.get(address).content == bytes(2 * MIB)
            assert client.put(address, content=bytes(3 * MIB + 1)).text == str(3 * MIB + 1)


def test_the_backend_wants_to_know_the_length(address: str) -> None:
    with httpx.Client(verify=False, trust_env=False) as client:
        assert client.put(address, content=iter([b"abc"])).status_code == 411


@pytest.fixture
def relayed() -> Iterator[Peer]:
    """A backend in this process, in place of a proxy that relays a TCP service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=bulk_backend._serve, args=(sock, None, 2), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        yield cast("Peer", SimpleNamespace(name="proxy", port_of=lambda _: port))
        listener.shutdown(socket.SHUT_RDWR)


def test_bodies_are_compared_before_they_are_measured(relayed: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(scenario("down"), way="tcp", mib=2)
    bulk.check(asked, relayed)
    with pytest.raises(SystemExit, match="proxy: 2097152 bytes came as they were sent, of 3 MiB"):
        bulk.check(replace(asked, mib=3), relayed)
    with monkeypatch.context() as patched:
        patched.setattr(bulk_backend, "PIECE", bytes(MIB - 1) + b"x")
        with pytest.raises(SystemExit, match="bytes came as they were sent, of 2 MiB"):
            bulk.check(asked, relayed)
    monkeypatch.setattr(bulk_backend, "_sum", lambda *_: 1)
    with pytest.raises(SystemExit, match="proxy: an upload has the checksum 1 at the backend, and not"):
        bulk.check(asked, relayed)


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        ("down", "\n200 1.1 104857600 0 0.25\n"),
        ("up", "104857600\n200 1.1 9 104857600 0.25\n"),
    ],
)
def test_whole_transfers_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: Direction, said: str
) -> None:
    assert transferred(tmp_path, monkeypatch, direction, said * 2) == (400 / 1024, 400.0), "two on each connection"


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        pytest.param("down", "\n200 1.1 104857599 0 0.5\n", id="a byte is missing"),
        pytest.param("down", "\n502 1.1 104857600 0 0.5\n", id="another status"),
        pytest.param("down", "\n200 2 104857600 0 0.5\n", id="another protocol"),
        pytest.param("down", "", id="one of the two is missing"),
        pytest.param("up", "104857599\n200 1.1 9 104857600 0.5\n", id="the backend took less"),
        pytest.param("up", "104857600\n200 1.1 9 104857599 0.5\n", id="the client sent less"),
    ],
)
def test_a_transfer_that_is_not_whole_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: Direction, said: str
) -> None:
    well = "\n200 1.1 104857600 0 0.5\n" if direction == "down" else "104857600\n200 1.1 9 104857600 0.5\n"
    with pytest.raises(SystemExit, match="proxy: "):
        transferred(tmp_path, monkeypatch, direction, well + said)


def transferred(folder: Path, monkeypatch: pytest.MonkeyPatch, direction: Direction, said: str) -> tuple[float, float]:
    """What a second of transfers comes to when curl says this of each connection."""
    monkeypatch.setattr(bulk, "run", lambda *_: said)
    peer = SimpleNamespace(name="proxy", folder=folder, port_of=lambda _: 1)
    return bulk.transfers(scenario(direction), cast("Peer", peer), 1)


def test_nginx_without_its_stream_module_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(options: str) -> Any:
        stderr = f"nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.1\nconfigure arguments: {options}"
        return lambda *_, **__: SimpleNamespace(stderr=stderr)

    monkeypatch.setattr(Nginx, "program", sys.executable)
    monkeypatch.setattr(subprocess, "run", said(f"--modules-path={tmp_path} --with-stream=dynamic"))
    assert Nginx.version() == "1.22.1, OpenSSL 3.0.1"
    assert (Nginx.missing("http1"), "no stream module" in Nginx.missing("tcp")) == ("", True)
    (tmp_path / "ngx_stream_module.so").touch()
    assert Nginx.missing("passthrough") == ""
    monkeypatch.setattr(subprocess, "run", said("--with-stream"))
    assert Nginx.missing("tcp") == ""
