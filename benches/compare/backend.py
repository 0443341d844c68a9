"""The backends behind all peers: nginx, with answers of several lengths, one that wants a body, and a page that says
which headers came; for all else programs of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from benches.compare import process, programs
from benches.compare.certificate import Pair
from benches.compare.cores import OTHER_CORE
from benches.compare.peers.base import FORWARDED, wait_for_port
from benches.compare.scenario import HOST_PATHS

CONFIG = """
{user}
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
    client_body_buffer_size 64k;
    open_file_cache max=10;
    open_file_cache_valid 3600s;
    open_file_cache_errors on;
    tcp_nopush on;
    etag off;
    max_ranges 0;
    map $request_body $whole {{
        "~^x{{4096}}$" yes;
        default no;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
{below}
        location = /0 {{ return 200 ""; }}
        location = /1k {{ return 200 "{body}"; }}
        location = /16k {{ root {folder}; add_header Last-Modified ""; }}
        location = /256k {{ root {folder}; add_header Last-Modified ""; }}
        # A mirror has the body read first; there is no such file, and what answers instead looks at the body.
        location = /take {{
            mirror /sink;
            root {folder};
            log_not_found off;
            error_page 404 = @taken;
        }}
        location = /sink {{ internal; return 204; }}
        location @taken {{
            if ($whole = no) {{ return 400 "not the body that was sent"; }}
            return 200 "{body}";
        }}
        location /at- {{ return 200 "{body}"; }}
        location = /served {{ stub_status; }}
        location = /seen {{ return 200 "{seen}"; }}
    }}
}}
"""

LOCATION = """
        location = {path}/{name} {{ return 200 "{text}"; }}
"""


def served(port: int) -> int:
    """How many requests one of `web` has answered so far, this one among them."""
    said = httpx.get(f"http://127.0.0.1:{port}/served", trust_env=False, timeout=10).raise_for_status().text
    return int(said.splitlines()[2].split()[2])


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
    for kib in (16, 256):
        (folder / f"{kib}k").write_bytes(b"x" * kib * 1024)
    config = folder / "nginx.conf"
    below = "".join(
        LOCATION.format(path=path, name=name, text=text)
        for path in HOST_PATHS
        for name, text in (("1k", "x" * 1024), ("seen", seen))
    )
    user = "user root root;" if os.geteuid() == 0 else ""  # the worker reads files of ours
    filled = CONFIG.format(user=user, below=below, folder=folder, port=port, body="x" * 1024, seen=seen)
    config.write_text(filled, encoding="utf-8")
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
