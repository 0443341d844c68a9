"""The encoding of values and of change sets: msgpack, a map of field name to value for each struct.

Values are encoded once and travel as opaque bytes, so "did it change?" is a comparison of bytes. What is in a change
set, and when it goes, is the business of `publish`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from fastingress.model.schema import VERSION, ChangeSet, Entry, Key

_E = TypeVar("_E", bound=msgspec.Struct)

_encoder = msgspec.msgpack.Encoder()
_change_sets = msgspec.msgpack.Decoder(ChangeSet)


def encode(value: Entry) -> bytes:
    """The msgpack bytes of a value; equal values have equal bytes."""
    return _encoder.encode(value)


def decode(blob: bytes, struct: type[_E]) -> _E:
    """The value in `blob`. Raises `msgspec.DecodeError` or `msgspec.ValidationError` when it is not a `struct`."""
    return msgspec.msgpack.decode(blob, type=struct)


def encode_change_set(upserts: Mapping[Key, bytes], removals: Iterable[Key], full: bool) -> bytes:
    """The bytes that `Core.apply` takes. `full` says that the upserts are everything there is."""
    envelope = {
        "version": VERSION,
        "full": full,
        "upserts": [(kind, name, blob) for (kind, name), blob in upserts.items()],
        "removals": list(removals),
    }
    return _encoder.encode(envelope)


def decode_change_set(blob: bytes) -> ChangeSet:
    """The envelope in `blob`, its values still encoded. Raises as `decode` does."""
    return _change_sets.decode(blob)
