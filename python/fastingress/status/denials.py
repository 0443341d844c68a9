"""Where we are not allowed to write: told once, and tried again from time to time, with one call.

A permission is missing for a namespace or for all of them, never for one object, so ten thousand objects need not find
it out one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastingress.api import FORBIDDEN, ApiError

_log = logging.getLogger("fastingress.status")

AGAIN = 30.0
"""Seconds between two tries in a namespace that denies us."""
_MOST_NAMED = 20


def is_denied(error: ApiError) -> bool:
    """Whether a permission is missing: admission webhooks and terminating namespaces answer 403 as well."""
    return error.status == FORBIDDEN and " cannot " in error.message and not is_terminating(error)


def is_terminating(error: ApiError) -> bool:
    """Whether the namespace takes nothing new, for good."""
    return error.status == FORBIDDEN and "being terminated" in error.message


class Denials:
    """The namespaces that denied us `what`, as in "patch ingresses/status (networking.k8s.io)"."""

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._until: dict[str, float] = {}
        self._named: set[str] = set()

    def wait(self, namespace: str) -> float:
        """Seconds until something may be tried there. At 0 the caller is the one that tries."""
        until = self._until.get(namespace)
        if until is None:
            return 0.0
        now = self._clock()
        if now < until:
            return until - now
        self._until[namespace] = now + AGAIN
        return 0.0

    def denied(self, namespace: str, error: ApiError) -> None:
        """It was not allowed. Named in the log, once for each namespace."""
        self._until[namespace] = self._clock() + AGAIN
        if namespace not in self._named and len(self._named) < _MOST_NAMED:
            self._named.add(namespace)
            _log.warning("cannot %s in the namespace %s: %s", self._what, namespace, error.message)

    def allowed(self, namespace: str) -> None:
        """It worked."""
        if self._until.pop(namespace, None) is not None and namespace in self._named:
            self._named.discard(namespace)
            _log.info("can %s in the namespace %s again", self._what, namespace)

    def __len__(self) -> int:
        return len(self._until)
