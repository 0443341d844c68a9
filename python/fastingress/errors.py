"""What can go wrong with a call of this package. Everything else that is raised is a defect.

Exceptions live here and not in the Rust core, which raises `OSError` and `ValueError` only.
"""

from __future__ import annotations


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
