"""A UDP server for tests of streams, and a client."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

_END = b"\x00end"


class UdpServer:
    """Answers each datagram with its name, a colon, and what came: at 127.0.0.1, unless it is to be elsewhere."""

    def __init__(
        self,
        name: str = "udp",
        answer: Callable[[bytes], bytes | None] | None = None,
        *,
        at: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.name = name
        self.clients: set[tuple[str, int]] = set()
        self.received: list[bytes] = []
        self._answer = answer or (lambda data: name.encode() + b":" + data)
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(at)
        self.address: tuple[str, int] = self._sock.getsockname()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """`ADDRESS:PORT`."""
        return f"{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> UdpServer:
        return self

    def __exit__(self, *_: object) -> None:
        with udp_client() as sock:
            sock.sendto(_END, self.address)
        self._thread.join(10)
        self._sock.close()

    def _run(self) -> None:
        while True:
            try:
                data, client = self._sock.recvfrom(65536)
            except OSError:
                return
            if data == _END:
                return
            self.clients.add(client)
            self.received.append(data)
            answer = self._answer(data)
            if answer is not None:
                self._sock.sendto(answer, client)


def udp_client(timeout: float = 20) -> socket.socket:
    """A socket of its own: every wait on it ends after that many seconds."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    return sock
