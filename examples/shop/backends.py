"""Toy backends for the shop: three small HTTP servers on loopback that say who they are and what they were asked.

    python examples/shop/backends.py            on ports 9001, 9002 and 9003, as written in services.yaml
    python examples/shop/backends.py --port 0   on free ports

Prints one line `NAME ADDRESS:PORT` for each, then serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("storefront", "cart", "catalog")
SHOWN = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID", "X-Shop")


class Backend(ThreadingHTTPServer):
    """One of the servers."""

    daemon_threads = True

    def __init__(self, name: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.name = name


class Answer(BaseHTTPRequestHandler):
    """Says who answers, what was asked and with which of the interesting headers."""

    protocol_version = "HTTP/1.1"
    server: Backend

    def answer(self) -> None:
        """Reads the request body, if there is one, and answers in plain text."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lines = [f"{self.server.name}: {self.command} {self.path}"]
        lines += [f"  {name}: {self.headers[name]}" for name in SHOWN if name in self.headers]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (names the base class looks for)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (name of the base class)
        """Quiet: the gateway's access log tells."""


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="Toy backends for examples/shop.")
    parser.add_argument("--port", type=int, default=9001, help="of the first one; 0 for free ones (default: 9001)")
    first: int = parser.parse_args().port
    stop = signal.SIGINT, signal.SIGTERM
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    for offset, name in enumerate(NAMES):
        backend = Backend(name, first + offset if first else 0)
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        print(name, f"127.0.0.1:{backend.server_address[1]}", flush=True)
    signal.sigwait(stop)


if __name__ == "__main__":
    main()
