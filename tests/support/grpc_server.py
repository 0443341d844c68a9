"""A real server of gRPC, with one method of each kind. Messages are plain bytes, so nothing has to be generated."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from types import TracebackType
from typing import Any

import grpc

from tests.support.certificates import Pair

SERVICE = "test.Echo"

SERVING = b"\x08\x01"
"""The answer of the health service of a server that is well."""


def method(name: str) -> str:
    """The path of a method."""
    return f"/{SERVICE}/{name}"


class Echo(grpc.GenericRpcHandler):
    """Answers with what it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0
        self.peers: set[str] = set()
        """The other ends of the connections that calls came on."""
        self.cancelled = threading.Event()
        self._lock = threading.Lock()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method."""
        kinds: dict[str, Any] = {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "Name": grpc.unary_unary_rpc_method_handler(lambda _request, _context: self.name.encode()),
            "Check": grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING),
            "Count": grpc.unary_stream_rpc_method_handler(self._count),
            "Collect": grpc.stream_unary_rpc_method_handler(self._collect),
            "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
            "Sleep": grpc.unary_unary_rpc_method_handler(self._sleep),
        }
        return kinds.get(handler_call_details.method.rpartition("/")[2])

    def _unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.calls += 1
            self.peers.add(context.peer())
        sent = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
        context.send_initial_metadata((*sent, ("x-server", self.name)))
        context.set_trailing_metadata((("x-end", "yes"), ("x-raw-bin", b"\x00\xff")))
        return request

    def _count(self, request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield str(number).encode()

    def _collect(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
        return b",".join(requests)

    def _chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.cancelled.set)
        for request in requests:
            yield request.upper()

    def _fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, request.decode())
        raise AssertionError("abort raises")

    def _sleep(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        until = time.monotonic() + float(request)
        while time.monotonic() < until and context.is_active():
            time.sleep(0.01)
        return b"slept"


class Server:
    """Listens on a free port of 127.0.0.1 until `close`; with a certificate, over TLS."""

    def __init__(
        self, name: str = "grpc", *, pair: Pair | None = None, clients: bytes | None = None, port: int = 0
    ) -> None:
        self.echo = Echo(name)
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), handlers=[self.echo])
        if pair is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        else:
            credentials = grpc.ssl_server_credentials([(pair.key, pair.chain)], clients, clients is not None)
            self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        self._server.start()

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    def close(self, grace: float = 0) -> None:
        """Tells clients to go elsewhere, and ends."""
        self._server.stop(grace).wait(30)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
