"""Turns of peers, round after round, so that drift hits all. One that fails is measured no more; the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from benches.compare import progress
from benches.compare.peers import Peer

Each = TypeVar("Each")
FAILURES = (SystemExit, Exception)
"""Of one peer: whatever goes wrong with it is told, and is no reason to lose what is found of the others."""


def take(peer: Peer, turn: Callable[[Peer], None]) -> None:
    """Its turn, unless it has failed before. When it fails now, its `failure` says how."""
    if peer.failure:
        return
    try:
        turn(peer)
    except FAILURES as error:
        peer.failure = worded(error)
        progress.line(f"  {peer.name} is measured no more: {peer.failure}")


def in_turn(peers: Sequence[Each], number: int) -> list[Each]:
    """There in one round and back in the next, and every two rounds another one begins.

    Drift that goes one way favours nobody. The last, which is the floor, is mostly next to the first, which is ours.
    """
    begin = number // 2 % max(1, len(peers))
    turned = [*peers[begin:], *peers[:begin]]
    return turned[::-1] if number % 2 else turned


def worded(error: BaseException) -> str:
    """To read: what the bench itself raises says whom it is about, and other errors have their kind with them."""
    return str(error) if isinstance(error, SystemExit) else repr(error)
