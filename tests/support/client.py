"""A client that sends exact bytes, whole or split anywhere, and reads what comes back to the end."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable
from types import TracebackType

from tests.support.http1 import Reader, Response, read_response

Address = tuple[str, int]
TIMEOUT = 20.0


class RawClient:
    """One connection to the gateway. Every wait on it ends after `timeout` seconds with an error."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        timeout: float = TIMEOUT,
        receive_buffer: int | None = None,
    ) -> None:
        plain = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        plain.settimeout(timeout)
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            plain.connect(address)
            self.sock = tls.wrap_socket(plain, server_hostname=server_name) if tls else plain
        except BaseException:
            plain.close()
            raise
        self.reader = Reader(self.sock)

    def send(self, data: bytes, *, split: int | None = None) -> RawClient:
        """Sends these bytes, in two writes when `split` says after how many."""
        if split is None:
            self.sock.sendall(data)
        else:
            self.sock.sendall(data[:split])
            self.sock.sendall(data[split:])
        return self

    def try_to_send(self, data: bytes) -> bool:
        """Sends these bytes; False when the gateway has had enough before the end."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def drip(self, data: bytes) -> RawClient:
        """Sends these bytes one by one; stops quietly when the gateway has had enough."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(len(data)):
                self.sock.sendall(data[at : at + 1])
        return self

    def response(self, method: str = "GET") -> Response:
        """The next final response."""
        return read_response(self.reader, method=method)

    def rest(self) -> bytes:
        """All until the gateway closes."""
        return self.reader.rest()

    def is_closed(self) -> bool:
        """True once the gateway has closed: waits for that, or for a byte, which is an error."""
        data = self.reader.some()
        assert data == b"", f"bytes came in place of a close: {data!r}"
        return True

    def finish_sending(self) -> None:
        """A FIN; reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes at once."""
        self.sock.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def request_bytes(
    method: str = "GET",
    target: str = "/",
    host: str = "test.example",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The bytes of a request. A body, or a method that has one, brings a Content-Length unless it is chunked."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    if (body or method in ("POST", "PUT", "PATCH")) and not chunked:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def fetch(
    address: Address,
    target: str = "/",
    *,
    host: str = "test.example",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> Response:
    """One request on a connection of its own."""
    with RawClient(address, tls=tls, server_name=server_name or host.partition(":")[0]) as client:
        return client.send(request_bytes(method, target, host, list(headers), body)).response(method)
