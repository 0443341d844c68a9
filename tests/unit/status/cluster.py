"""Ingresses behind an API server that knows owners, and a store that follows them: for the status writer.

A server-side apply behaves as in a real API server: the addresses are one field with its managers; who applies another
value than one that someone else owns is refused with that manager's name; who applies without the field gives up its
ownership, and the last owner takes the value along.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastingress.api import APPLY, JSON, ApiError, Query, Unreachable
from fastingress.objects import Ingress, IngressSpec, LoadBalancerIngress, LoadBalancerStatus, ObjectKey, ObjectMeta
from fastingress.objects.ingress import IngressStatus
from fastingress.store import Delete, Store, Upsert

Addresses = tuple[LoadBalancerIngress, ...]
US = "fastingress.io/ingress-controller"


class Request(NamedTuple):
    at: float
    key: ObjectKey
    addresses: Addresses | None


@dataclass
class Stored:
    uid: str
    ingress_class: str
    addresses: Addresses = ()
    owners: set[str] = field(default_factory=set)


def key_of(name: str, namespace: str = "shop") -> ObjectKey:
    return ObjectKey("Ingress", namespace, name)


class Cluster:
    """The server and the store. `fail` says what becomes of a request; `lag` is how late the store is."""

    def __init__(self, noted: Callable[[Iterable[ObjectKey]], None]) -> None:
        self.store = Store()
        self.requests: list[Request] = []
        self.fail: Callable[[ObjectKey], Exception | None] = lambda key: None
        self.latency = 0.01
        self.lag = 0.005
        self.under_way = 0
        self.most_under_way = 0
        self._noted = noted
        self._stored: dict[ObjectKey, Stored] = {}
        self._uids = itertools.count(1)
        self._waiting: set[asyncio.Task[None]] = set()

    def create(self, name: str, ingress_class: str = "fast", namespace: str = "shop") -> ObjectKey:
        key = key_of(name, namespace)
        self._stored[key] = Stored(f"uid-{next(self._uids)}", ingress_class)
        self._changed(key)
        return key

    def delete(self, key: ObjectKey) -> None:
        self._stored.pop(key, None)
        self._changed(key)

    def set_class(self, key: ObjectKey, ingress_class: str) -> None:
        self._stored[key].ingress_class = ingress_class
        self._changed(key)

    def update_status(self, key: ObjectKey, manager: str, addresses: Addresses) -> None:
        """As controllers do that do not apply."""
        stored = self._stored[key]
        stored.addresses = addresses
        stored.owners = {manager} if addresses else set()
        self._changed(key)

    def addresses(self, key: ObjectKey) -> Addresses:
        return self._stored[key].addresses

    def owners(self, key: ObjectKey) -> set[str]:
        return self._stored[key].owners

    def everyone(self) -> list[ObjectKey]:
        return list(self._stored)

    def class_of(self, key: ObjectKey) -> str:
        return self._stored[key].ingress_class

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: object = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        assert (method, content_type) == ("PATCH", APPLY)
        assert isinstance(body, dict)
        asked = dict(query)
        assert asked["force"] == "false"
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._patch(path, asked["fieldManager"], body, timeout)
        finally:
            self.under_way -= 1

    async def _patch(self, path: str, manager: str, body: dict[str, Any], timeout: float) -> bytes:
        meta = body["metadata"]
        key = key_of(meta["name"], meta["namespace"])
        assert path == f"/apis/networking.k8s.io/v1/namespaces/{key.namespace}/ingresses/{key.name}/status"
        applied = _read(body)
        self.requests.append(Request(asyncio.get_running_loop().time(), key, applied))
        failure = self.fail(key)
        if failure is not None:
            await asyncio.sleep(timeout if isinstance(failure, Unreachable) else self.latency)
            raise failure
        await asyncio.sleep(self.latency)
        self._apply(key, meta["uid"], manager, applied, path)
        return b"{}"

    def _apply(self, key: ObjectKey, uid: str, manager: str, applied: Addresses | None, path: str) -> None:
        stored = self._stored.get(key)
        if stored is None:
            raise ApiError("PATCH", path, 404, reason="NotFound")
        if stored.uid != uid:
            message = f'Ingress "{key.name}" is invalid: metadata.uid: Invalid value: "{uid}": field is immutable'
            raise ApiError("PATCH", path, 422, reason="Invalid", message=message)
        others = sorted(stored.owners - {manager})
        if applied is not None and others and applied != stored.addresses:
            said = [f'conflict with "{other}" with subresource "status" using networking.k8s.io/v1' for other in others]
            raise ApiError("PATCH", path, 409, reason="Conflict", message="Apply failed", conflicts=said)
        if applied is None:
            held = manager in stored.owners
            stored.owners.discard(manager)
            stored.addresses = () if held and not stored.owners else stored.addresses
        else:
            stored.addresses = applied
            stored.owners.add(manager)
        self._changed(key)

    def _changed(self, key: ObjectKey) -> None:
        """Seen by the store a little later, as it is now."""
        stored = self._stored.get(key)
        change = Delete(key) if stored is None else Upsert(_object(key, stored))
        task = asyncio.get_running_loop().create_task(self._arrives(key, change))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _arrives(self, key: ObjectKey, change: Upsert | Delete) -> None:
        await asyncio.sleep(self.lag)
        self.store.apply([change])
        self._noted([key])


def _read(body: dict[str, Any]) -> Addresses | None:
    if "status" not in body:
        return None
    return tuple(LoadBalancerIngress(**entry) for entry in body["status"]["loadBalancer"]["ingress"])


def _object(key: ObjectKey, stored: Stored) -> Ingress:
    return Ingress(
        metadata=ObjectMeta(name=key.name, namespace=key.namespace, uid=stored.uid),
        spec=IngressSpec(ingress_class_name=stored.ingress_class),
        status=IngressStatus(load_balancer=LoadBalancerStatus(ingress=stored.addresses)),
        status_managers=tuple(sorted(stored.owners)),
    )
