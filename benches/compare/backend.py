"""The backends behind all peers: nginx, with a fixed answer of 1 KiB and a page that says which headers came; for all
else programs of our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benches.compare import process, programs
from benches.compare.certificate import Pair
from benches.compare.peers.base import FORWARDED, OTHER_CORE, wait_for_port

CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /1k {{ return 200 "{body}"; }}
        location = /seen {{ return 200 "{seen}"; }}
    }}
}}
"""


class Backend:
    """Runs beside the load generator, on the core that the proxies do not use."""

    def __init__(self, folder: Path, port: int, command: list[str]) -> None:
        with (folder / "output").open("wb") as output:
            pinned = ["taskset", "-c", str(OTHER_CORE), *command]
            self._child = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_for_port(port, self._child, folder / "output")

    def stop(self) -> None:
        """Ends it."""
        process.end(self._child)


def web(folder: Path, port: int) -> Backend:
    """For requests and handshakes."""
    folder.mkdir(parents=True)
    seen = "\\n".join(f"{name}: $http_{name.lower().replace('-', '_')}" for name in ("Host", *FORWARDED))
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, body="x" * 1024, seen=seen), encoding="utf-8")
    return Backend(folder, port, ["nginx", "-p", str(folder), "-c", str(config)])


def ours(folder: Path, port: int, kind: str) -> Backend:
    """For calls or WebSockets: a mode of the program in `benches/ends`."""
    folder.mkdir(parents=True)
    return Backend(folder, port, [programs.path(programs.ENDS) or programs.ENDS, kind, str(port)])


def bulk(folder: Path, port: int, mib: int, pair: Pair | None) -> Backend:
    """For long bodies; speaks TLS when it has a certificate."""
    folder.mkdir(parents=True)
    words = [str(port), str(mib), *([str(pair.write(folder))] if pair else [])]
    return Backend(folder, port, [sys.executable, "-m", "benches.compare.bulk_backend", *words])
