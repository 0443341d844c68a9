"""The client of the idle scenarios: opens connections, asks once on each, holds them, and says whether all were kept.

`python -m benches.compare.idle_client PORT COUNT WAY`; it says "held", waits for the end of its input, and says "kept".
"""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import sys

from benches.compare.correct import HOST

BODY = b"x" * 1024
# An address has 28,000 ports towards one port of the proxy, some of which wait for the end of earlier connections.
PER_ADDRESS = 5_000


def main() -> None:
    """The command."""
    port, count, way = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = _trusting_all("h2" if way.startswith("h2") else "http/1.1") if way.endswith("tls") else None
    request = http2_request() if way.startswith("h2") else f"GET /1k HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    held = [_asked(port, source(number), context, request) for number in range(count)]
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()
    for one in held:
        _demand_open(one)
    sys.stdout.write("kept\n")
    sys.stdout.flush()


def source(number: int) -> str:
    """The address of loopback from which a connection is made. The first is not the one that others use."""
    return f"127.0.0.{2 + number // PER_ADDRESS}"


def http2_request() -> bytes:
    """A preface, empty SETTINGS, their acknowledgement, and HEADERS of stream 1 without any compression."""
    fields = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", HOST.encode()), (b":path", b"/1k"))
    block = b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
    settings = _frame(4, 0, 0) + _frame(4, 1, 0)
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + _frame(1, 5, 1, block)


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _trusting_all(protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def _asked(port: int, address: str, context: ssl.SSLContext | None, request: bytes) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))
    # The request follows the handshake at once, and would wait for an acknowledgement that is delayed by 40 ms.
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one = context.wrap_socket(plain, server_hostname=HOST) if context else plain
    one.sendall(request)
    answer = b""
    while BODY not in answer:
        data = one.recv(65536)
        assert data, "closed"
        answer += data
    return one


def _demand_open(one: socket.socket) -> None:
    """What a server says besides, such as tickets and PING, is no close."""
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
        while True:
            assert one.recv(65536), "closed while idle"


if __name__ == "__main__":
    main()
