"""One file's bytes, whole or not at all: never those of a file that someone is in the middle of writing.

A read lease is refused while anyone has the file open for writing, which answers the question exactly; it is given
back at once. Where leases cannot be had (a file of another user, some network file systems) the size and the times of
the file before and after reading must do, with the events that the watcher sees.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from typing import NamedTuple

MOST_BYTES = 64 << 20
_F_SETSIG = 10
_ATTEMPTS = 3


class Signature(NamedTuple):
    """Differs when the content differs, as far as the file system can tell."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class Content(NamedTuple):
    """All bytes of a file."""

    data: bytes
    signature: Signature
    certain: bool
    """Surely nobody had it open for writing meanwhile."""


class Unreadable(NamedTuple):
    """The file is there, but cannot be had."""

    reason: str


class Missing(NamedTuple):
    """There is no such file, or it is not a regular one."""


class BeingWritten(NamedTuple):
    """Someone has it open for writing."""


def read_file(path: str, *, settled: bool) -> Content | Unreadable | Missing | BeingWritten:
    """With `settled`, a file that is open for writing is not read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return Missing()
    except OSError as error:
        return Unreadable(os.strerror(error.errno or 0))
    try:
        for _ in range(_ATTEMPTS):
            outcome = _read_once(handle, settled)
            if outcome is not None:
                return outcome
        return BeingWritten() if settled else Unreadable("it changes while it is read")
    except OSError as error:
        return Unreadable(os.strerror(error.errno or 0))
    finally:
        os.close(handle)


def _read_once(handle: int, settled: bool) -> Content | Unreadable | Missing | BeingWritten | None:
    """None: it changed meanwhile."""
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        return Missing()
    if before.st_size > MOST_BYTES:
        return Unreadable(f"it has {before.st_size} bytes, more than {MOST_BYTES}")
    before_reading = _open_for_writing(handle) if settled else None
    if before_reading:
        return BeingWritten()
    data = _read_all(handle)
    if len(data) > MOST_BYTES:
        return Unreadable(f"it has more than {MOST_BYTES} bytes")
    after_reading = _open_for_writing(handle) if settled else None
    if after_reading:
        return BeingWritten()
    after = signature_of(os.fstat(handle))
    certain = before_reading is False and after_reading is False
    return Content(data, after, certain) if signature_of(before) == after else None


def signature_of(status: os.stat_result) -> Signature:
    """What of a file's status differs when its content does."""
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read_all(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    total = 0
    while total <= MOST_BYTES and (part := os.read(handle, 1 << 20)):
        parts.append(part)
        total += len(part)
    return b"".join(parts)


def _open_for_writing(handle: int) -> bool | None:
    """None when there is no way to tell.

    Were the lease broken in the moment that it is held, the kernel would send SIGIO, which ends a process by default;
    so the signal is made one that is ignored by default.
    """
    try:
        fcntl.fcntl(handle, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
