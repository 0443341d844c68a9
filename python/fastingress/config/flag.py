"""One option as data: its names, its kind, its default, and a line that says what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastingress.config.kinds import Kind

T = TypeVar("T")

ENVIRONMENT_PREFIX = "FASTINGRESS_"


@dataclass(frozen=True)
class Flag:
    """An option of the process."""

    name: str
    """As a field of `Config` and as a keyword argument: `http_port`."""
    kind: Kind[Any]
    default: Any
    group: str
    help: str

    @property
    def option(self) -> str:
        """On the command line: `--http-port`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """In the environment: `FASTINGRESS_HTTP_PORT`."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def shown_default(self) -> str:
        """The default as it would be written."""
        return self.kind.show(self.default)


FLAGS: dict[str, Flag] = {}
"""All options, in the order of their declaration. Filled when `declared` is imported."""


def declare(kind: Kind[T], default: T, group: str, text: str) -> T:
    """A field of `Config`. What it returns is a dataclass field, typed as the value it will hold."""
    made: Any = field(default=default, metadata={"kind": kind, "group": group, "help": text})
    return made  # type: ignore[no-any-return]
