"""A gateway within a program."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import fastingress
from tests.unit.cli.commands import GOLDEN

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop}}
spec:
  defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, annotations: {{fastingress.io/endpoints: "{endpoint}"}}}}
spec: {{ports: [{{port: 80}}]}}
"""


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.headers["X-Forwarded-For"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_serves_on_free_ports_and_follows_edits(tmp_path: Path) -> None:
    with fastingress.Gateway(tmp_path) as gateway, ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as backend:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        assert status_of(gateway.http_url) == 404
        assert status_of(f"{gateway.admin_url}/readyz") == 200
        before = gateway.digest

        endpoint = f"127.0.0.1:{backend.server_port}"
        (tmp_path / "shop.yaml").write_text(INGRESS.format(endpoint=endpoint))
        gateway.wait_for(lambda now: now.routes)
        with urllib.request.urlopen(gateway.http_url, timeout=10) as answer:
            assert answer.read() == b"127.0.0.1"
        assert gateway.digest != before
        match = gateway.match("http://anything.example.com/")
        assert match is not None
        assert match.endpoints == (endpoint,)
        gateway.wait_for(lambda now: 'code="200"' in now.metrics)

        (tmp_path / "shop.yaml").unlink()
        gateway.wait_for(lambda now: not now.routes)
        assert gateway.digest == before
        backend.shutdown()


def test_problems_are_raised_and_cleared_with_edits(tmp_path: Path) -> None:
    with fastingress.Gateway(tmp_path) as gateway:
        assert gateway.problems == []
        (tmp_path / "shop.yaml").write_text("kind: [")
        gateway.wait_for(lambda now: now.problems)
        (tmp_path / "shop.yaml").write_text("")
        gateway.wait_for(lambda now: not now.problems)


def test_two_gateways_in_one_process_and_the_same_manifests() -> None:
    with fastingress.Gateway(GOLDEN / "manifests") as one, fastingress.Gateway([GOLDEN / "manifests"]) as other:
        assert one.http != other.http
        assert one.digest == other.digest
        assert one.routes == other.routes


def test_ports_can_be_left_out() -> None:
    with fastingress.Gateway(GOLDEN / "manifests", https_port="off", admin_port=None) as gateway:
        assert gateway.http_url == "http://{}:{}".format(*gateway.http)
        with pytest.raises(AttributeError, match="admin"):
            _ = gateway.admin


def test_after_its_block_nothing_listens_and_it_cannot_be_entered_again() -> None:
    gateway = fastingress.Gateway(GOLDEN / "manifests")
    with gateway:
        address = gateway.http
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    gateway.stop()
    with pytest.raises(fastingress.StartError, match="before"):
        gateway.start()


def test_what_keeps_it_from_starting_is_raised(tmp_path: Path) -> None:
    with pytest.raises(fastingress.ConfigError, match="missing"):
        fastingress.Gateway(tmp_path / "missing").start()
    with pytest.raises(TypeError, match="http_prot"):
        fastingress.Gateway(tmp_path, http_prot=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(fastingress.StartError, match="--http-port"):
            fastingress.Gateway(tmp_path, http_port=taken.getsockname()[1]).start()


def test_waiting_in_vain_is_a_timeout(tmp_path: Path) -> None:
    with fastingress.Gateway(tmp_path) as gateway, pytest.raises(TimeoutError):
        gateway.wait_for(lambda now: now.routes, timeout=0.01)
