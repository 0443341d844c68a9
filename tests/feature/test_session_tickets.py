"""Session tickets: keys that replicas share, keys that are replaced, and none at all."""

from __future__ import annotations

import secrets
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.clients import authority_secret
from tests.support.gateway import Served, in_process
from tests.support.manifests import Rule, ingress, service, write

HOST = "shop.example.com"
ENTRY = "ssl-session-ticket-key"
VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


class Replica:
    """A folder of manifests that a gateway is to serve."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        folder.mkdir()
        write(
            folder / "objects.yaml",
            service("web", "127.0.0.1:1"),
            authority.issue(HOST).secret("cert"),
            ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        )

    def keys(self, **entries: bytes) -> None:
        """Puts the Secret into place; `_old` stands for `.old`."""
        data = {f"{ENTRY}{name.removeprefix('key').replace('_', '.')}": value for name, value in entries.items()}
        write(self.folder / "keys.yaml", authority_secret("keys", data))

    def serve(self, **options: Any) -> Any:
        return in_process(self.folder, ssl_session_ticket_secret="default/keys", **options)


@pytest.fixture
def replicas(tmp_path: Path, authority: Authority) -> tuple[Replica, Replica]:
    """Two that serve the same."""
    return Replica(tmp_path / "one", authority), Replica(tmp_path / "other", authority)


def shake(gateway: Served, session: Path, version: str, *, save: bool = False) -> bool:
    """A handshake that keeps its session, or comes with a kept one; whether that was taken."""
    host_and_port = f"{gateway.https[0]}:{gateway.https[1]}"
    command = ["openssl", "s_client", "-connect", host_and_port, "-servername", HOST, version, "-ign_eof"]
    command += ["-sess_out" if save else "-sess_in", str(session)]
    request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    done = subprocess.run(command, input=request.encode(), capture_output=True, timeout=30, check=False)
    assert b"502 Bad Gateway" in done.stdout, done.stdout + done.stderr
    return b"Reused, TLS" in done.stdout


@VERSIONS
def test_replicas_with_the_same_key_take_each_others_tickets(
    replicas: tuple[Replica, Replica], tmp_path: Path, version: str
) -> None:
    one, other = replicas
    key = secrets.token_bytes(80)
    one.keys(key=key)
    other.keys(key=b64encode(key) + b"\n")
    with one.serve() as first, other.serve() as second:
        shake(first, tmp_path / "session", version, save=True)
        assert shake(second, tmp_path / "session", version)


@VERSIONS
def test_replicas_without_a_key_do_not(replicas: tuple[Replica, Replica], tmp_path: Path, version: str) -> None:
    with in_process(replicas[0].folder) as first, in_process(replicas[1].folder) as second:
        shake(first, tmp_path / "session", version, save=True)
        assert shake(first, tmp_path / "session", version)
        assert not shake(second, tmp_path / "session", version)


def test_a_key_that_was_replaced_opens_as_long_as_it_is_kept(replicas: tuple[Replica, Replica], tmp_path: Path) -> None:
    (replica, newest), session = replicas, tmp_path / "session"
    old, new = secrets.token_bytes(48), secrets.token_bytes(80)
    replica.keys(key=old)
    newest.keys(key=new)
    with replica.serve() as gateway, newest.serve() as judge:
        shake(gateway, session, "-tls1_3", save=True)
        replica.keys(key=new, key_old=old)

        def gives_tickets_of_the_new_key() -> bool:
            shake(gateway, tmp_path / "newer", "-tls1_3", save=True)
            return shake(judge, tmp_path / "newer", "-tls1_3")

        gateway.until(gives_tickets_of_the_new_key)
        assert shake(gateway, session, "-tls1_3")
        replica.keys(key=new)
        gateway.until(lambda: not shake(gateway, session, "-tls1_3"))


@pytest.mark.parametrize("broken", ["missing", "no key", "too short"])
def test_a_secret_that_cannot_be_used_is_a_problem_and_tickets_go_on(
    replicas: tuple[Replica, Replica], tmp_path: Path, broken: str
) -> None:
    replica = replicas[0]
    if broken != "missing":
        replica.keys(**({"key": b"secret"} if broken == "too short" else {"key_old": secrets.token_bytes(48)}))
    with replica.serve() as gateway:
        problem = gateway.problem("MissingSecret" if broken == "missing" else "InvalidSecret")
        assert "default/keys" in problem["message"]
        shake(gateway, tmp_path / "session", "-tls1_3", save=True)
        assert shake(gateway, tmp_path / "session", "-tls1_3")
        replica.keys(key=secrets.token_bytes(80))
        gateway.until(lambda: not gateway.problems())


@VERSIONS
def test_without_tickets_sessions_are_kept_here(
    replicas: tuple[Replica, Replica], tmp_path: Path, version: str
) -> None:
    one, other = replicas
    key = secrets.token_bytes(80)
    one.keys(key=key)
    other.keys(key=key)
    off = {"ssl_session_tickets": False}
    with one.serve(**off) as first, other.serve(**off) as second:
        shake(first, tmp_path / "session", version, save=True)
        assert shake(first, tmp_path / "session", version)
        assert not shake(second, tmp_path / "session", version)
