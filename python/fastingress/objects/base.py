"""What all objects have in common: metadata, key, age, place.

Objects are frozen trees that were decoded from data, so no cycle can exist: `gc=False` keeps tens of thousands of them
out of the garbage collector's way, and lists are tuples for the same reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from fastingress.problems import ObjectRef, Origin

SelfObject = TypeVar("SelfObject", bound="Object")
Shared = TypeVar("Shared", bound=Hashable)


SETTINGS = ("fastingress.io/", "nginx.ingress.kubernetes.io/")
"""How annotations begin that are settings of a gateway."""


class ObjectKey(NamedTuple):
    """Names an object among all objects. The namespace is empty for kinds that are cluster-scoped."""

    kind: str
    namespace: str
    name: str


class ManagedFields(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Who owns fields of an object; which fields is not read."""

    manager: str = ""
    subresource: str = ""


class ObjectMeta(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The part of `metadata` that is read."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    creation_timestamp: str | None = None
    """RFC 3339 in UTC with a grain of one second, `2026-01-31T09:00:00Z`, once the object went through `decode`."""
    deletion_timestamp: str | None = None
    """When the object was asked to go, in whatever form it came; it is there until its finalizers are done."""
    managed_fields: tuple[ManagedFields, ...] = ()
    """Always empty once decoded: of all the owners only those of an Ingress's status are kept, with the Ingress."""


class Object(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """The base of all kinds."""

    kind: ClassVar[str] = ""
    api_version: ClassVar[str] = ""
    namespaced: ClassVar[bool] = True
    labels_read: ClassVar[frozenset[str]] = frozenset()
    """Of the labels of a cluster's objects, which may be tens of thousands, only these are kept."""
    annotations_read: ClassVar[tuple[str, ...]] = ()
    """How the annotations begin that are kept, likewise."""

    metadata: ObjectMeta = ObjectMeta()
    origin: Origin | None = field(default=None, name="$origin")
    """The document it was read from; None for an object of a cluster. Never makes two objects differ."""
    place: str = field(default="", name="$place")
    """Sorts the documents of a source: by root, path and index. Empty for an object of a cluster."""

    @property
    def key(self) -> ObjectKey:
        """Names it among all objects."""
        return ObjectKey(self.kind, self.metadata.namespace, self.metadata.name)

    @property
    def is_leaving(self) -> bool:
        """Whether it was asked to go."""
        return self.metadata.deletion_timestamp is not None

    @property
    def ref(self) -> ObjectRef:
        """Names it in a problem."""
        meta = self.metadata
        return ObjectRef(self.kind, meta.namespace, meta.name, meta.uid)

    @property
    def age(self) -> str:
        """Sorts by age as plain text, oldest first; no two objects of a kind have the same."""
        meta = self.metadata
        if meta.creation_timestamp:
            return f"0{meta.creation_timestamp}/{meta.namespace}/{meta.name}"
        return f"1{self.place}/{meta.namespace}/{meta.name}"

    def significant(self) -> tuple[object, ...]:
        """All that can make a difference to what is served. The store compares this."""
        raise NotImplementedError

    def placed(self: SelfObject, origin: Origin, place: str, uid: str | None = None) -> SelfObject:
        """The same object read from another place; with a `uid`, that one in place of its own."""
        if uid is None or uid == self.metadata.uid:
            return msgspec.structs.replace(self, origin=origin, place=place)
        return msgspec.structs.replace(
            self, origin=origin, place=place, metadata=msgspec.structs.replace(self.metadata, uid=uid)
        )


def fill(target: Struct, name: str, value: Any) -> None:
    """Sets a field of a frozen struct from its own `__post_init__`, before anyone else can have seen it."""
    _set(target, name, value)


@functools.lru_cache(maxsize=4096)
def shared(value: Shared) -> Shared:
    """An equal value that was seen before, if it was of late: tens of thousands of objects have the same few ports."""
    return value


_set: Callable[[Struct, str, Any], None] = msgspec.structs.force_setattr
