"""nginx on free ports that are bound before it starts: as a backend, or as a server beside ours."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.client import Address
from tests.support.programs import PROGRAMS

_CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    keepalive_requests 1000000;
    {servers}
}}
"""


@contextmanager
def nginx(folder: Path, *servers: str) -> Iterator[list[Address]]:
    """Runs it with these `server` blocks, in which `%PORT%` stands for the port of each; gives their addresses.

    It takes over sockets that already listen, as it does when it replaces itself: no port is lost, none waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in servers]
    addresses: list[Address] = [each.getsockname() for each in sockets]
    blocks = [text.replace("%PORT%", f"127.0.0.1:{place[1]}") for text, place in zip(servers, addresses, strict=True)]
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # as someone else it could not read the folders of tests
    config.write_text(_CONFIG.format(user=user, folder=folder, servers="\n".join(blocks)), encoding="utf-8")
    handles = [each.fileno() for each in sockets]
    command = [str(PROGRAMS["nginx"].found), "-p", str(folder), "-c", str(config)]
    environment = {**os.environ, "NGINX": "".join(f"{handle};" for handle in handles)}
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, pass_fds=handles
        )
    for each in sockets:
        each.close()
    try:
        yield addresses
        assert child.poll() is None, (folder / "output").read_text(encoding="utf-8")
    finally:
        child.terminate()
        child.wait(20)
