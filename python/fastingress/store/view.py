"""Reading the store, plainly or with a record of all that was asked for.

A view is live: it shows the store as it is at each call. What it answers is ordered, so that the same objects give the
same answers in whatever order they came.
"""

from __future__ import annotations

import builtins
from typing import Any, Literal, overload

from fastingress.objects import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Namespace,
    Node,
    Object,
    Pod,
    Secret,
    Service,
)
from fastingress.store.changes import ALL, SLICES_OF, Dependency
from fastingress.store.index import Index


class View:
    """Reads objects by kind and name."""

    def __init__(self, index: Index) -> None:
        self._index = index

    @overload
    def get(self, kind: Literal["Ingress"], namespace: str, name: str) -> Ingress | None: ...
    @overload
    def get(self, kind: Literal["IngressClass"], namespace: str, name: str) -> IngressClass | None: ...
    @overload
    def get(self, kind: Literal["Service"], namespace: str, name: str) -> Service | None: ...
    @overload
    def get(self, kind: Literal["EndpointSlice"], namespace: str, name: str) -> EndpointSlice | None: ...
    @overload
    def get(self, kind: Literal["Endpoints"], namespace: str, name: str) -> Endpoints | None: ...
    @overload
    def get(self, kind: Literal["Secret"], namespace: str, name: str) -> Secret | None: ...
    @overload
    def get(self, kind: Literal["ConfigMap"], namespace: str, name: str) -> ConfigMap | None: ...
    @overload
    def get(self, kind: Literal["Namespace"], namespace: str, name: str) -> Namespace | None: ...
    @overload
    def get(self, kind: Literal["Node"], namespace: str, name: str) -> Node | None: ...
    @overload
    def get(self, kind: str, namespace: str, name: str) -> Object | None: ...
    def get(self, kind: str, namespace: str, name: str) -> Any:
        """The object of that key, or None. The namespace is empty for kinds that are cluster-scoped."""
        self._asked(kind, namespace, name)
        return self._index.find(kind, namespace, name)

    @overload
    def list(self, kind: Literal["Ingress"]) -> builtins.list[Ingress]: ...
    @overload
    def list(self, kind: Literal["IngressClass"]) -> builtins.list[IngressClass]: ...
    @overload
    def list(self, kind: Literal["Service"]) -> builtins.list[Service]: ...
    @overload
    def list(self, kind: Literal["EndpointSlice"]) -> builtins.list[EndpointSlice]: ...
    @overload
    def list(self, kind: Literal["Endpoints"]) -> builtins.list[Endpoints]: ...
    @overload
    def list(self, kind: Literal["Secret"]) -> builtins.list[Secret]: ...
    @overload
    def list(self, kind: Literal["ConfigMap"]) -> builtins.list[ConfigMap]: ...
    @overload
    def list(self, kind: Literal["Node"]) -> builtins.list[Node]: ...
    @overload
    def list(self, kind: Literal["Pod"]) -> builtins.list[Pod]: ...
    @overload
    def list(self, kind: str) -> builtins.list[Any]: ...
    def list(self, kind: str) -> builtins.list[Any]:
        """All objects of a kind, by namespace and name. The list is the caller's own."""
        self._asked(kind, ALL, ALL)
        return self._index.all_of(kind)

    def slices_of(self, namespace: str, service: str) -> builtins.list[EndpointSlice]:
        """The EndpointSlices that name this Service in their label, by name. The list is the caller's own."""
        self._asked(SLICES_OF, namespace, service)
        return self._index.slices_of(namespace, service)

    def _asked(self, kind: str, namespace: str, name: str) -> None:
        """Called before each answer."""


class RecordingView(View):
    """A view that remembers what it was asked for, found or missing."""

    def __init__(self, view: View) -> None:
        super().__init__(view._index)
        self._record: set[Dependency] = set()

    @property
    def dependencies(self) -> frozenset[Dependency]:
        """All that was asked for so far."""
        return frozenset(self._record)

    def _asked(self, kind: str, namespace: str, name: str) -> None:
        self._record.add(Dependency(kind, namespace, name))
