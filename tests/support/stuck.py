"""An endpoint that neither takes a connection nor refuses it: its queue is full and nobody accepts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_MOST = 64
_FULL_AFTER = 0.2


@contextmanager
def stuck_endpoint() -> Iterator[str]:
    """`127.0.0.1:PORT`, where connecting takes for ever."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(_MOST):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(_FULL_AFTER)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue of a listener has no end here")
        yield f"127.0.0.1:{listener.getsockname()[1]}"
