"""Sends the same bytes on many connections at once, each split at another place.

The first parts of all go out before the second part of any, so the gateway has read what came before a split by the
time the rest arrives: a real split, without waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.client import Address, RawClient

EVERY_BYTE = 400
"""Longer messages are split at so many places, evenly spread, and at their ends."""


def places(length: int) -> range:
    """Where to split a message of that length; the first place, 0, stands for not at all."""
    return range(0, length, max(1, length // EVERY_BYTE))


@contextmanager
def sent_split(address: Address, data: bytes) -> Iterator[list[RawClient]]:
    """One client for each split of `data`, with all of it sent."""
    with ExitStack() as stack:
        clients = [(at, stack.enter_context(RawClient(address))) for at in places(len(data))]
        for at, client in clients:
            client.try_to_send(data[:at])
        for at, client in clients:
            client.try_to_send(data[at:])
        yield [client for _, client in clients]
