"""The backend of the bulk scenarios: gives a long body, or takes one and says how long it was. It costs little itself.

`python -m benches.compare.bulk_backend PORT MIB [PAIR]`: GET is answered with so many MiB, PUT needs a Content-Length.
With PAIR, a PEM file of a certificate and its key, it speaks TLS.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading
from contextlib import suppress

# Always the same bytes: they are in the processor's cache, so no proxy has to wait for memory.
PIECE = bytes(1 << 20)


def main() -> None:
    """The command."""
    port, mib, pair = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair[0])
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock, context, mib), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext | None, mib: int) -> None:
    with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) if context else plain as sock:
        while _converse(sock, mib):
            pass


def _converse(sock: socket.socket, mib: int) -> bool:
    """One request and its answer; False once there are no more."""
    head, rest = _head(sock)
    if head.startswith(b"GET "):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (mib * len(PIECE)))
        for _ in range(mib):
            sock.sendall(PIECE)
    elif length := re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", head):
        said = str(len(rest) + _take(sock, int(length[1]) - len(rest))).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
    elif head:
        sock.sendall(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while sock.recv(65536):  # a close before the body is read would take the answer back
            pass
        return False
    return bool(head)


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    """The head with its empty line, and what came of the body with it; both empty at the end."""
    read = b""
    while b"\r\n\r\n" not in read:
        data = sock.recv(65536)
        if not data:
            return b"", b""
        read += data
    head, end, rest = read.partition(b"\r\n\r\n")
    return head + end, rest


def _take(sock: socket.socket, length: int) -> int:
    """How many bytes came of so many. Those of TCP are dropped in the kernel, without a copy."""
    buffer = bytearray(len(PIECE))
    flags = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_TRUNC
    left = length
    while left and (taken := sock.recv_into(buffer, min(left, len(PIECE)), flags)):
        left -= taken
    return length - left


if __name__ == "__main__":
    main()
