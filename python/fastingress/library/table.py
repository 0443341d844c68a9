"""A route table from manifests, without a gateway."""

from __future__ import annotations

import os
from typing import Any

from fastingress.app import Snapshot, compile_once
from fastingress.config import Config, from_options
from fastingress.library.ports import ports_of
from fastingress.library.reading import Reading
from fastingress.library.views import PortView
from fastingress.problems import Problem

Paths = str | os.PathLike[str]


class RouteTable(Reading):
    """What a gateway would serve for some manifests, as they were when they were read.

    >>> table = RouteTable.from_manifests("examples/shop")
    >>> match = table.match("https://shop.example.com/cart")
    >>> match.service, match.endpoints
    ('default/cart:80', ('127.0.0.1:9002',))
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._core = snapshot.table
        self._snapshot = snapshot

    @classmethod
    def from_manifests(cls, *paths: Paths, **options: Any) -> RouteTable:
        """Read files and folders of manifests. `options` are those of the command line: `compat="ingress-nginx"`.

        What is wrong in the manifests is in `problems`. Raises `ConfigError` for a path that cannot be read and for an
        option that cannot be used.
        """
        return cls.from_config(from_options({**options, "manifests": [os.fspath(path) for path in paths]}))

    @classmethod
    def from_config(cls, config: Config) -> RouteTable:
        """The same, from a whole configuration."""
        return cls(compile_once(config))

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong, by file and line."""
        return self._snapshot.book.problems()

    @property
    def ports(self) -> list[PortView]:
        """The TCP and UDP services, by protocol and port."""
        return ports_of(self._snapshot.state)

    def verify_certificates(self) -> None:
        """Check that every key belongs to its certificate: slow, so it is not done before it is asked for.

        What is wrong is among the `problems` afterwards.
        """
        self._snapshot.verify_certificates()
