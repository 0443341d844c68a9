"""The backend of the bulk scenarios: gives a long body, or takes one and says how long it was. It costs little itself.

`python -m benches.compare.bulk_backend PORT MIB [PAIR]`: GET is answered with so many MiB, PUT needs a Content-Length.
With PAIR, a PEM file of a certificate and its key, it speaks TLS. For the checks before, `/1k` is a short answer,
`/seen` the head of the request, and a PUT of `/sum` is answered with a checksum.
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading
import zlib
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
    target = head.split(b" ", 2)[1] if head else b""
    if target in (b"/1k", b"/seen"):
        _answer(sock, b"x" * 1024 if target == b"/1k" else head.partition(b"\r\n")[2])
    elif head.startswith(b"GET "):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (mib * len(PIECE)))
        for _ in range(mib):
            sock.sendall(PIECE)
    elif length := re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", head):
        left = int(length[1]) - len(rest)
        _answer(sock, b"%d" % (_sum(sock, rest, left) if target == b"/sum" else len(rest) + _take(sock, left)))
    elif head:
        sock.sendall(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while sock.recv(65536):  # a close before the body is read would take the answer back
            pass
        return False
    return bool(head)


def _answer(sock: socket.socket, body: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


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


def _sum(sock: socket.socket, begun: bytes, left: int) -> int:
    """CRC-32 of what came and of so many bytes more."""
    found = zlib.crc32(begun)
    while left and (piece := sock.recv(min(left, len(PIECE)))):
        left -= len(piece)
        found = zlib.crc32(piece, found)
    return found


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
