"""What is kept of the objects of a cluster, which may be tens of thousands: what someone reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastingress.objects import Ingress, Object, decode_json
from fastingress.translate.options import Options

LABELS = {"app.kubernetes.io/name": "web", "kubernetes.io/service-name": "web"}
ANNOTATIONS = {
    "cert-manager.io/cluster-issuer": "letsencrypt",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    "kubernetes.io/ingress.class": "nginx",
    **{f"{prefix}app-root": "/shop" for prefix in Options().annotation_prefixes},
}


def decoded(kind: str, annotations: Mapping[str, str] = ANNOTATIONS, **more: Any) -> Object:
    metadata = {"name": "web", "namespace": "shop", "labels": LABELS, "annotations": annotations}
    found = decode_json(json.dumps({"metadata": metadata, **more}).encode(), kind)
    assert found.object is not None, found.problems
    return found.object


def test_annotations_that_are_settings_are_kept_and_no_others() -> None:
    settings = {f"{prefix}app-root" for prefix in Options().annotation_prefixes}
    assert decoded("Service").metadata.annotations.keys() == settings
    assert decoded("Ingress").metadata.annotations.keys() == settings | {"kubernetes.io/ingress.class"}
    assert decoded("Secret").metadata.annotations == {}


def test_labels_are_kept_where_they_are_read() -> None:
    assert decoded("Service").metadata.labels == {}
    piece = decoded("EndpointSlice", addressType="IPv4", endpoints=[])
    assert piece.metadata.labels == {"kubernetes.io/service-name": "web"}


def test_annotations_that_nobody_reads_make_no_difference() -> None:
    tracked = {**ANNOTATIONS, "argocd.argoproj.io/tracking-id": "web:networking.k8s.io/Ingress:shop/web"}
    assert decoded("Ingress", tracked).significant() == decoded("Ingress").significant()


def test_paths_with_one_backend_share_it() -> None:
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in ("/", "/api")]
    found = decoded("Ingress", spec={"rules": [{"host": "web.example", "http": {"paths": paths}}]})
    assert isinstance(found, Ingress)
    rule = found.spec.rules[0].http
    assert rule is not None
    assert rule.paths[0].backend is rule.paths[1].backend
