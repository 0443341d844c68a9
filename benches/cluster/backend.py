"""A process that answers at every pod's address with that address, so that who was asked is known.

Started by the bench inside the control plane's network, where all pod addresses are local: `python -m
benches.cluster.backend`. Says `ready` once it listens.
"""

from __future__ import annotations

import asyncio

from benches.cluster.plan import BACKEND_PORT

_END = b"\r\n\r\n"


class _Pod(asyncio.Protocol):
    """A connection with requests that have no body."""

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        address = transport.get_extra_info("sockname")[0].encode()
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(address), address)

    def data_received(self, data: bytes) -> None:
        *whole, self._unread = (self._unread + data).split(_END)
        self._transport.write(self._answer * len(whole))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Pod, "0.0.0.0", BACKEND_PORT)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
