"""nginx as a proxy, with the forwarded headers that ingress-nginx sets."""

from __future__ import annotations

import subprocess

from benches.compare.peers.base import Peer

CONFIG = """
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_buffering off;
    upstream backend {{
        server 127.0.0.1:{backend};
        keepalive 320;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{h2c} http2;
        listen 127.0.0.1:{tls} ssl http2;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {pair};
        ssl_certificate_key {pair};
        server_name shop.example.com;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Scheme $scheme;
            proxy_set_header X-Scheme $scheme;
            proxy_set_header Proxy "";
        }}
    }}
}}
"""


class Nginx(Peer):
    """Debian's nginx."""

    name = "nginx"
    program = "nginx"

    @classmethod
    def version(cls) -> str:
        said = subprocess.run([cls.program, "-v"], capture_output=True, text=True, check=True).stderr
        return said.strip().rpartition("/")[2].split()[0]

    def command(self) -> list[str]:
        config = self.folder / "nginx.conf"
        filled = CONFIG.format(
            folder=self.folder,
            port=self.port,
            h2c=self.h2c_port,
            tls=self.tls_port,
            pair=self.pair.write(self.folder),
            backend=self.backend,
        )
        config.write_text(filled, encoding="utf-8")
        return [self.program, "-p", str(self.folder), "-c", str(config)]
