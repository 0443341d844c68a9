"""The types of the fixtures in `tests/conftest.py`, so that tests can name them."""

from __future__ import annotations

from typing import Any, Protocol

from tests.support.backend import Backend, Handler, say_name
from tests.support.gateway import Served
from tests.support.manifests import Manifest
from tests.support.process import Process


class Serve(Protocol):
    """Starts a gateway in this process that serves these manifests; options are those of `fastingress.Gateway`."""

    def __call__(self, *manifests: Manifest, **options: Any) -> Served: ...


class Spawn(Protocol):
    """Starts a gateway in a process of its own; options become flags."""

    def __call__(self, *manifests: Manifest, **options: Any) -> Process: ...


class Backends(Protocol):
    """Starts a backend that answers with its name, or with what the handler says."""

    def __call__(self, name: str, handler: Handler = say_name) -> Backend: ...
