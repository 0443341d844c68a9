"""The words of a change: what a source says to the store, and what the store answers."""

from __future__ import annotations

from msgspec import Struct

from fastingress.objects import Object, ObjectKey

ALL = "*"
"""In place of namespace and name of a dependency: the set of all objects of that kind."""
SLICES_OF = "EndpointSlicesOf"
"""The kind of a dependency on the EndpointSlices of one Service."""


class Upsert(Struct, frozen=True, gc=False):
    """The object is there, and looks like this."""

    object: Object


class Delete(Struct, frozen=True, gc=False):
    """The object is gone. An unknown key is ignored."""

    key: ObjectKey


Change = Upsert | Delete


class Dependency(Struct, frozen=True, gc=False):
    """Something that was read from the store, found or missing.

    An object by its key; with `*` for namespace and name the set of all objects of the kind; with the kind
    `EndpointSlicesOf` the slices of the Service that namespace and name say.
    """

    kind: str
    namespace: str
    name: str
