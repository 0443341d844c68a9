"""What a source of manifests says to its consumer."""

from __future__ import annotations

from msgspec import Struct

from fastingress.problems import Problem
from fastingress.store import Change


class ManifestPathError(Exception):
    """A path that was given on the command line cannot be read. The message names path and flag."""


class Batch(Struct, frozen=True):
    """Changes that belong together, and what is wrong with the files that they came from."""

    changes: list[Change]
    """An object is in it at most once."""
    problems: dict[str, list[Problem]]
    """By file or folder, as the user named it: all that is wrong with it now. An empty list: nothing any more."""
    parsed_documents: int
    """How many documents had to be parsed; those whose text was seen before do not count."""
    received: float | None = None
    """When the files were seen to have changed, by the clock of the source; None for the first look."""

    def __bool__(self) -> bool:
        return bool(self.changes or self.problems)
