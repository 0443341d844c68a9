"""TCP and UDP services as clients see them, from within the network of the pods."""

from __future__ import annotations

import socket

from tests.support.client import fetch
from tests.support.udp import udp_client


def pod_at(port: int) -> str:
    """The pod that a new connection reaches; the pods speak HTTP, which is nothing to the stream."""
    return str(fetch(("127.0.0.1", port), host="any.example").json()["pod"])


def pods_at(port: int) -> set[str]:
    """The pods that a number of new connections reach."""
    return {pod_at(port) for _ in range(20)}


def is_open(port: int) -> bool:
    """Whether a TCP port takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


def answer_at(port: int) -> str:
    """Who of several `UdpServer` answers a new client; empty for nobody."""
    with udp_client(timeout=0.2) as sock:
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(b"q")
            return sock.recv(100).decode().removesuffix(":q")
        except (TimeoutError, ConnectionRefusedError):
            return ""
