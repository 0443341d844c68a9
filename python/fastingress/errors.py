"""What can go wrong with a call of this package. Everything else that is raised is a defect.

Exceptions live here and not in the Rust core, which raises `OSError` and `ValueError` only.
"""

from __future__ import annotations

import errno
import os

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""What the system answers when it, or a limit of the process, has no more of something to give."""


class FastingressError(Exception):
    """The base of all others."""


class ConfigError(FastingressError, ValueError):
    """An option has a value that cannot be used. The message begins with the flag, variable or argument."""


class StartError(FastingressError):
    """The gateway cannot start: a port is in use, a file cannot be read. The message names the flag."""


class UrlError(FastingressError, ValueError):
    """A URL that no client could send, or that the gateway would refuse with 400."""


class AdminError(FastingressError):
    """A running gateway could not be asked over its admin port."""


def worded(error: BaseException | None) -> str:
    """What went wrong, for a person, of an exception that need not be one of ours; where known, what would help."""
    if isinstance(error, FastingressError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no thread can be started: raise the limits on memory and on tasks (ulimit -v, ulimit -u)"
    if isinstance(error, OSError) and error.errno is not None:
        hint = ": raise the limit on open files (ulimit -n)" if error.errno == errno.EMFILE else ""
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{os.strerror(error.errno)}{hint}"
    return f"{type(error).__name__}: {error}"
