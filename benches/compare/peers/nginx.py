"""nginx as a proxy, with the forwarded headers that ingress-nginx sets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from benches.compare import programs
from benches.compare.debian import STREAM_MODULE
from benches.compare.peers.base import ADDED, HSTS, Peer, added_path
from benches.compare.scenario import HOST_PATHS, Way

CONFIG = """
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 19000; }}
http {{
    {log}
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # As ingress-nginx has it by default: an answer is passed on as it comes.
    proxy_buffering off;
    upstream backend {{
        server 127.0.0.1:{backend};
        keepalive 320;
        keepalive_requests 100000000;
    }}
    client_max_body_size 0;
    # Nor is a body kept until it is whole, as none of the others does: it would go through a file.
    proxy_request_buffering off;
    proxy_http_version 1.1;
{told}
    map $https $hsts {{
        on "{hsts}";
    }}
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{h2c} http2;
        listen 127.0.0.1:{tls} ssl http2;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {pair};
        ssl_certificate_key {pair};
        server_name shop.example.com;
        # A page over TLS says it, as ingress-nginx has it; an empty one is not sent.
        add_header Strict-Transport-Security $hsts always;
        location / {{
            {leads}
        }}
        # The buffer of 4 KiB that it has for this by default is made for short answers, and would flatter the others.
{long}
    }}
{added}
{hosts}
}}
"""

LINE = {
    "time": "$time_iso8601",
    "client": "$remote_addr",
    "scheme": "$scheme",
    "protocol": "$server_protocol",
    "method": "$request_method",
    "host": "$host",
    "path": "$uri",
    "status": "$status",
    "bytes_in": "$request_length",
    "bytes_out": "$bytes_sent",
    "duration_s": "$request_time",
    "connect_s": "$upstream_connect_time",
    "upstream_s": "$upstream_response_time",
    "endpoint": "$upstream_addr",
    "request_id": "$request_id",
    "user_agent": "$http_user_agent",
    "referer": "$http_referer",
}
"""Of the access log: the fields that we write."""

LONG = """
        location = {path} {{
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
            client_body_buffer_size 64k;
            proxy_pass http://backend;
        }}
"""

ADDED_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        server_name {host};
        # Anything else is looked for among files, and not found.
        location {path} {{
            proxy_pass http://backend;
        }}
    }}
"""

HOST_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        server_name {host};
        {paths}
    }}
"""

HOST_PATH = """
        location {path} {{
            proxy_pass http://backend;
        }}
"""

NO_HOST = """
    server_names_hash_max_size 65536;
    server {{
        listen 127.0.0.1:{port} default_server;
        deny all;
    }}
"""

TOLD = {
    "Host": "$host",
    "X-Request-ID": "$request_id",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Host": "$host",
    "X-Forwarded-Port": "$server_port",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Scheme": "$scheme",
    "X-Scheme": "$scheme",
    "Proxy": '""',
}
"""Fields of requests to the backend; an empty one is not sent."""

STREAM = """
{module}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
stream {{
    upstream backend {{
        server 127.0.0.1:{backend};
    }}
    map $ssl_preread_server_name $target {{
        shop.example.com backend;
    }}
    server {{
        listen 127.0.0.1:{port};
        proxy_buffer_size 64k;
        {leads}
    }}
}}
"""


class Nginx(Peer):
    """Debian's nginx."""

    name = "nginx"
    program = "nginx"
    log_buffer = ""
    """As ingress-nginx has it by default: each line is written at once."""

    @classmethod
    def version(cls) -> str:
        said = cls._built()
        library = re.findall(r"(?:running|built) with (OpenSSL \S+)", said)
        return f"{said.partition('nginx/')[2].split()[0]}, {library[-1]}"

    @classmethod
    def needs(cls, way: Way) -> set[str]:
        return super().needs(way) | ({STREAM_MODULE} if way in ("passthrough", "tcp") else set())

    @classmethod
    def missing(cls, way: Way) -> str:
        if (missing := super().missing(way)) or way not in ("passthrough", "tcp") or cls._has_streams():
            return missing
        return "it has no stream module (Debian package libnginx-mod-stream)"

    def command(self) -> list[str]:
        config = self._write()
        return [self.path(), "-p", str(self.folder), "-c", str(config)]

    def reroute(self, number: int) -> None:
        """It reads its configuration anew, and other workers take the place of those that it has."""
        self._write(number)
        os.kill(self.pid, signal.SIGHUP)

    def _write(self, number: int = 0) -> Path:
        config = self.folder / "nginx.conf"
        streams = self.way in ("passthrough", "tcp")
        config.write_text(self._streams() if streams else self._http(number), encoding="utf-8")
        return config

    def _http(self, number: int) -> str:
        module = "grpc" if self.way == "grpc-tls" else "proxy"
        added = ADDED_SERVER.format(port=self.port, host=ADDED, path=added_path(number))
        return CONFIG.format(
            folder=self.folder,
            log=self._log() if self.site.logged else "access_log off;",
            port=self.port,
            h2c=self.h2c_port,
            tls=self.tls_port,
            pair=self.pair.write(self.folder),
            backend=self.backend,
            hsts=HSTS,
            hosts=self._hosts() if self.site.hosts else "",
            added=added if self.way == "changing" else "",
            told="\n".join(f"    {module}_set_header {name} {value};" for name, value in self._told().items()),
            leads="grpc_pass grpc://backend;" if module == "grpc" else "proxy_pass http://backend;",
            long="".join(LONG.format(path=path) for path in ("/bulk", "/16k", "/256k")),
        )

    def _log(self) -> str:
        return f"log_format line escape=json '{json.dumps(LINE)}';\n    access_log {self.log} line{self.log_buffer};"

    def _hosts(self) -> str:
        """A server for each, and one for all that are not there."""
        paths = "".join(HOST_PATH.format(path=path) for path in HOST_PATHS)
        servers = (HOST_SERVER.format(port=self.port, host=name, paths=paths) for name in self.site.names)
        return "".join([NO_HOST.format(port=self.port), *servers])

    def _told(self) -> dict[str, str]:
        if self.way == "grpc-tls":
            return TOLD
        if self.way == "websocket":
            return {"Upgrade": "$http_upgrade", "Connection": "upgrade", **TOLD}
        return {"Connection": '""', **TOLD}

    def _streams(self) -> str:
        module = self._module()
        return STREAM.format(
            module=f"load_module {module};" if module.exists() else "",
            folder=self.folder,
            port=self.stream_port,
            backend=self.backend,
            leads="proxy_pass backend;" if self.way == "tcp" else "ssl_preread on; proxy_pass $target;",
        )

    @classmethod
    def _has_streams(cls) -> bool:
        return "--with-stream" in cls._built().split() or cls._module().exists()

    @classmethod
    def _module(cls) -> Path:
        folder = re.search(r"--modules-path=(\S+)", cls._built())
        return Path(folder[1] if folder else "modules") / STREAM_MODULE

    @classmethod
    def _built(cls) -> str:
        """Its version and how it was built."""
        return subprocess.run([cls.path(), "-V"], capture_output=True, text=True, check=True, timeout=30).stderr


class CurrentNginx(Nginx):
    """A current build beside Debian's, with the same configuration but for a buffer of the access log."""

    name = "current nginx"
    program = programs.CURRENT_NGINX
    log_buffer = " buffer=64k flush=1s"
    """As this project writes its own: 64 KiB at a time, or what there is after a while."""

    @classmethod
    def needs(cls, way: Way) -> set[str]:
        del way
        return {cls.program}
