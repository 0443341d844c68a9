"""The objects of a cluster of many Ingresses, in the bytes that an API server would send."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benches.cluster.plan import CLASS, CONTROLLER, Plan
from fastingress.objects import Object, decode_json
from tests.support.certificates import Authority
from tests.support.manifests import Manifest, ingress_class

_TIME = "2026-01-31T09:00:00Z"


def objects(plan: Plan) -> Iterator[Object]:
    """All of them: Ingresses of three paths, each with its Service and EndpointSlice, every tenth with a Secret."""
    for index, manifest in enumerate(_manifests(plan)):
        yield decoded(manifest, index)


def decoded(manifest: Manifest, index: int) -> Object:
    """An object as a controller has it."""
    found = decode_json(sent(manifest, index), manifest["kind"]).object
    assert found is not None
    return found


def sent(manifest: Manifest, index: int, version: int = 1) -> bytes:
    """With what an API server adds to each object."""
    meta = manifest["metadata"]
    owner = {
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "apiVersion": manifest["apiVersion"],
        "time": _TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:{field}": {".": {}} for field in manifest if field not in ("apiVersion", "kind")},
    }
    added = {
        "uid": f"00000000-0000-4000-8000-{index:012}",
        "resourceVersion": str(index + version * 1_000_000),
        "creationTimestamp": _TIME,
        "managedFields": [owner],
    }
    return json.dumps({**manifest, "metadata": {**meta, **added}}, separators=(",", ":")).encode()


def moved(plan: Plan, index: int, step: int) -> bytes:
    """The line of a watch that says that the one endpoint of a Service has moved for the `step`th time."""
    manifest = {**plan.endpoint_slice(index), "endpoints": plan.endpoints(index, step)}
    return b'{"type":"MODIFIED","object":' + sent(manifest, index, step + 1) + b"}\n"


def _manifests(plan: Plan) -> Iterator[Manifest]:
    yield ingress_class(CLASS, CONTROLLER)
    pair = Authority().issue("*.example.com")
    for index in range(plan.ingresses):
        yield plan.ingress(index)
        yield plan.service(index)
        yield plan.endpoint_slice(index)
        if index in plan.with_tls:
            yield plan.secret(index, pair)
