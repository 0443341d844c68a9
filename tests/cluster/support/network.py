"""A network namespace by name, and a thread's way into it and back. Linux; needs CAP_SYS_ADMIN."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """The network namespace that `ip netns` calls `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in the namespace, and so are the threads and processes that it starts meanwhile.

        Sockets stay in the namespace in which they were made.
        """
        before = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._open())
            try:
                yield
            finally:
                _set(before)
        finally:
            os.close(before)

    def is_entered(self) -> bool:
        """True when the calling thread is inside."""
        mine, this = Path(_OWN).stat(), Path(f"/run/netns/{self.name}").stat()
        return (mine.st_dev, mine.st_ino) == (this.st_dev, this.st_ino)

    def _open(self) -> int:
        return os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)


def _enter(fd: int) -> None:
    try:
        _set(fd)
    finally:
        os.close(fd)


def _set(fd: int) -> None:
    # os.setns came with Python 3.12.
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
