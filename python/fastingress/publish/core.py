"""What publishing asks of the Rust side: `fastingress._core.Table` and `fastingress._core.Gateway`."""

from __future__ import annotations

from typing import Protocol


class Core(Protocol):
    """Something that compiles change sets and swaps the result in."""

    def apply(self, change_set: bytes, /) -> bytes:
        """Apply a change set (msgpack of `model.ChangeSet`) and answer the msgpack of `model.Report`.

        Called from a thread that is not the loop's, never twice at a time. Raises `ValueError` for an envelope that
        cannot be read, in which case nothing was changed.
        """
        ...
