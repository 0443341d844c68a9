"""HAProxy, with the same forwarded headers."""

from __future__ import annotations

import re
import subprocess

from benches.compare.peers.base import HSTS, Peer

CONFIG = """
global
    nbthread 1
    maxconn 10200
    no strict-limits
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
    timeout tunnel 3600s
    timeout http-keep-alive 3600s
    option http-keep-alive
    http-reuse always
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
    {strict}
    use_backend back if {{ req.hdr(Host),field(1,:) -i shop.example.com }}
"""

STREAM = """
global
    nbthread 1
    maxconn 1000
defaults
    mode tcp
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
        said = subprocess.run([cls.program, "-vv"], capture_output=True, text=True, check=True).stdout
        library = re.findall(r"Running on OpenSSL version : (OpenSSL \S+)", said)
        return ", ".join([said.split()[2], *library])

    def command(self) -> list[str]:
        config = self.folder / "haproxy.cfg"
        streams = self.way in ("passthrough", "tcp")
        config.write_text(self._streams() if streams else self._http(), encoding="utf-8")
        return [self.program, "-db", "-f", str(config)]

    def _http(self) -> str:
        plain = f"bind 127.0.0.1:{self.port}\n    bind 127.0.0.1:{self.h2c_port} proto h2"
        secure = f"bind 127.0.0.1:{self.tls_port} ssl crt {self.pair.write(self.folder)} alpn h2,http/1.1"
        strict = f'http-response set-header Strict-Transport-Security "{HSTS}"'
        frontends = FRONTEND.format(scheme="http", binds=plain, strict="")
        frontends += FRONTEND.format(scheme="https", binds=secure, strict=strict)
        spoken = "proto h2" if self.way == "grpc-tls" else ""
        return CONFIG.format(frontends=frontends, backend=self.backend, spoken=spoken)

    def _streams(self) -> str:
        leads = "default_backend back" if self.way == "tcp" else BY_NAME
        return STREAM.format(port=self.stream_port, backend=self.backend, leads=leads)
