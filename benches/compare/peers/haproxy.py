"""HAProxy, with the same forwarded headers."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

from benches.compare.peers.base import ADDED, HSTS, Peer, added_path
from benches.compare.scenario import HOST_PATHS

MAXCONN = 10_200
CONFIG = """
global
    nbthread 1
    maxconn {maxconn}
    {log}
    # It starts with fewer descriptors than {maxconn} connections may take, as the others do.
    no strict-limits
    {socket}
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
    timeout tunnel 3600s
    timeout http-keep-alive 3600s
    option http-keep-alive
    # Any connection to the backend may be used for any client, and stays open, as the others have it.
    http-reuse always
    # Long bodies move through a pipe of the kernel where they can, as this project's do.
    option splice-auto
    {line}
{frontends}
backend back
    server one 127.0.0.1:{backend} pool-max-conn 320 {spoken}
"""

FRONTEND = """
frontend {scheme}
    {binds}
    http-request del-header Proxy
    http-request set-header X-Request-ID %[uuid()]
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(Host)]
    http-request set-header X-Forwarded-Port %[dst_port]
    http-request set-header X-Forwarded-Proto {scheme}
    http-request set-header X-Forwarded-Scheme {scheme}
    http-request set-header X-Scheme {scheme}
    {kept}
    {strict}
    use_backend back if {{ req.hdr(Host),field(1,:) -i shop.example.com }}
    {added}
    {hosts}
"""

LINE = {
    "time": "%Tl",
    "client": "%ci",
    "scheme": "%[ssl_fc,iif(https,http)]",
    "protocol": "%HV",
    "method": "%HM",
    "host": "%[var(txn.host),json(utf8s)]",
    "path": "%[var(txn.path),json(utf8s)]",
    "status": "%ST",
    "bytes_in": "%U",
    "bytes_out": "%B",
    "duration_ms": "%Ta",
    "connect_ms": "%Tc",
    "upstream_ms": "%Tr",
    "endpoint": "%si:%sp",
    "request_id": "%[var(txn.id)]",
    "user_agent": "%[var(txn.agent),json(utf8s)]",
    "referer": "%[var(txn.referer),json(utf8s)]",
}
"""Of the access log: the fields that we write."""

KEPT = """
    http-request set-var(txn.host) req.hdr(Host)
    http-request set-var(txn.path) path
    http-request set-var(txn.id) req.hdr(X-Request-ID)
    http-request set-var(txn.agent) req.hdr(User-Agent)
    http-request set-var(txn.referer) req.hdr(Referer)
"""

STREAM = """
global
    nbthread 1
    maxconn 1000
defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
frontend stream
    bind 127.0.0.1:{port}
    {leads}
backend back
    server one 127.0.0.1:{backend}
"""

BY_NAME = """
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend back if { req.ssl_sni -i shop.example.com }
"""


class HAProxy(Peer):
    """Debian's HAProxy."""

    name = "HAProxy"
    program = "haproxy"

    @classmethod
    def version(cls) -> str:
        said = subprocess.run([cls.program, "-vv"], capture_output=True, text=True, check=True, timeout=30).stdout
        library = re.findall(r"Running on OpenSSL version : (OpenSSL \S+)", said)
        return ", ".join([said.split()[2], *library])

    @property
    def log(self) -> Path:
        return self.folder / "output"

    def command(self) -> list[str]:
        config = self.folder / "haproxy.cfg"
        streams = self.way in ("passthrough", "tcp")
        config.write_text(self._streams() if streams else self._http(), encoding="utf-8")
        return [self.program, "-db", "-f", str(config)]

    def reroute(self, number: int) -> None:
        """A line of its map of routes is another one, by its socket.

        A route to a backend that it knows, as this is, needs no reload (SIGUSR2), which would close connections.
        """
        before, after = (f"{ADDED}{added_path(each)}" for each in (number - 1, number))
        asked = f"add map {self._map} {after} back; del map {self._map} {before}\n"
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._socket))
            admin.sendall(asked.encode())
            answer = b"".join(iter(lambda: admin.recv(4096), b""))
        if answer.strip():
            raise SystemExit(f"HAProxy: {asked!r} is answered {answer!r}")

    @property
    def _map(self) -> Path:
        return self.folder / "routes.map"

    @property
    def _hosts(self) -> Path:
        return self.folder / "hosts.map"

    @property
    def _socket(self) -> Path:
        return self.folder / "admin.sock"

    def _http(self) -> str:
        changing = self.way == "changing"
        if changing:
            self._map.write_text(f"{ADDED}{added_path(0)} back\n", encoding="utf-8")
        added = f"use_backend %[base,map_beg({self._map})] if {{ base,map_beg({self._map}) -m found }}"
        added = added if changing else ""
        if self.site.hosts:
            lines = (f"{name}{path} back\n" for name in self.site.names for path in HOST_PATHS)
            self._hosts.write_text("".join(lines), encoding="utf-8")
        hosts = f"use_backend %[base,map_beg({self._hosts})]" if self.site.hosts else ""
        plain = f"bind 127.0.0.1:{self.port}\n    bind 127.0.0.1:{self.h2c_port} proto h2"
        secure = f"bind 127.0.0.1:{self.tls_port} ssl crt {self.pair.write(self.folder)} alpn h2,http/1.1"
        strict = f'http-response set-header Strict-Transport-Security "{HSTS}"'
        kept = KEPT if self.site.logged else ""
        frontends = FRONTEND.format(scheme="http", binds=plain, kept=kept, strict="", added=added, hosts=hosts)
        frontends += FRONTEND.format(scheme="https", binds=secure, kept=kept, strict=strict, added="", hosts=hosts)
        return CONFIG.format(
            frontends=frontends,
            maxconn=MAXCONN,
            backend=self.backend,
            spoken="proto h2" if self.way == "grpc-tls" else "",
            log="log stdout format raw local0" if self.site.logged else "",
            line=self._line() if self.site.logged else "",
            socket=f"stats socket {self._socket} level admin" if changing else "",
        )

    def _line(self) -> str:
        """What the access log is made of, which is written to standard output."""
        return f"log global\n    log-format '{json.dumps(LINE)}'"

    def _streams(self) -> str:
        leads = "default_backend back" if self.way == "tcp" else BY_NAME
        return STREAM.format(port=self.stream_port, backend=self.backend, leads=leads)
