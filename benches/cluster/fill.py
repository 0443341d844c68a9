"""Puts the planned objects into the cluster, several at once."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterable, Iterator

from benches.cluster.plan import CLASS, CONTROLLER, NAMESPACES, Plan
from tests.cluster.support import objects
from tests.cluster.support.api import Api, collection
from tests.support.certificates import Authority
from tests.support.manifests import Manifest, ingress_class

_AT_ONCE = 6
_KUBECTL = "kubectl-client-side-apply"
_ENDPOINTS = "kube-controller-manager"


def fill(api: Api, plan: Plan, authority: Authority) -> float:
    """Makes all objects; how many seconds it took."""
    began = time.monotonic()
    for number in range(NAMESPACES):
        api.create(objects.namespace(f"team-{number}"))
    api.create(ingress_class(CLASS, CONTROLLER))
    every = range(plan.ingresses)
    kinds = {
        "Secret": (len(plan.with_tls), plan.secrets(authority)),
        "Service": (plan.ingresses, map(plan.service, every)),
        "EndpointSlice": (plan.ingresses, map(plan.endpoint_slice, every)),
        "Ingress": (plan.ingresses, map(plan.ingress, every)),
    }
    for kind, (count, wanted) in kinds.items():
        _create_all(api, kind, count, wanted)
    return time.monotonic() - began


def create(api: Api, manifest: Manifest) -> Manifest:
    """Makes one object; its fields are owned by who makes such objects in a real cluster."""
    manager = _ENDPOINTS if manifest["kind"] == "EndpointSlice" else _KUBECTL
    path = collection(manifest["kind"], manifest["metadata"]["namespace"], version=manifest["apiVersion"])
    return api.call("POST", path, query={"fieldManager": manager}, body=manifest)


def _create_all(api: Api, kind: str, count: int, wanted: Iterable[Manifest]) -> None:
    lock, left, made = threading.Lock(), iter(wanted), itertools.count(1)
    failures: list[Exception] = []

    def work() -> None:
        try:
            while (manifest := _next(lock, left)) is not None and not failures:
                create(api, manifest)
                _progress(kind, next(made), count)
        except Exception as error:
            failures.append(error)
        finally:
            api.close()

    workers = [threading.Thread(target=work) for _ in range(_AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def _next(lock: threading.Lock, left: Iterator[Manifest]) -> Manifest | None:
    with lock:
        return next(left, None)


def _progress(kind: str, made: int, count: int) -> None:
    if made % 100 and made != count:
        return
    filled = 30 * made // count
    end = "\n" if made == count else "\r"
    print(f"  {kind:<14} [{'#' * filled:<30}] {made:,} of {count:,}", end=end, file=sys.stderr, flush=True)
