"""The part of the cluster that belongs to one test: a namespace, a class of Ingresses, and what the test puts there."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cluster.support import objects
from tests.cluster.support.api import CLUSTER_SCOPED, Api
from tests.cluster.support.control_plane import SEEN_AT, ControlPlane
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.workload import Workload
from tests.support import manifests
from tests.support.manifests import Manifest, Rule


class Space:
    """A test's own corner. All that it makes is removed with it, in the background.

    Objects in the namespace `default`, which is what `tests.support.manifests` makes, go into the test's own namespace.
    """

    def __init__(self, plane: ControlPlane, api: Api, namespace: str) -> None:
        self.plane = plane
        self.api = api
        self.namespace = namespace
        self.class_name = namespace
        self.controller_class = f"fastingress.io/{namespace}"
        self._outside: list[tuple[str, str]] = []

    # objects

    def apply(self, *wanted: Manifest) -> Manifest:
        """Applies objects, in their order; the last one as it is now."""
        assert wanted
        for each in wanted:
            made = self.api.apply(self.placed(each))
        return made

    def create(self, wanted: Manifest) -> Manifest:
        """Makes an object that must not exist."""
        return self.api.create(self.placed(wanted))

    def read(self, kind: str, name: str) -> Manifest | None:
        """An object of the namespace (or of the cluster), or None."""
        return self.api.read(kind, name, self.namespace)

    def patch(self, kind: str, name: str, change: Mapping[str, Any], *, subresource: str = "") -> Manifest:
        """A merge patch of an object."""
        return self.api.patch(kind, name, change, self.namespace, subresource=subresource)

    def delete(self, kind: str, name: str, *, grace: int | None = None) -> None:
        """Deletes an object."""
        self.api.delete(kind, name, self.namespace, grace=grace)

    def kubectl(self, *words: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs kubectl in the namespace, as admin."""
        return self.plane.kubectl("--namespace", self.namespace, *words, stdin=stdin, check=check)

    def placed(self, manifest: Manifest) -> Manifest:
        """The object in the namespace of the test, unless it names another or needs none. It will be removed."""
        kind, metadata = manifest["kind"], dict(manifest["metadata"])
        if kind in CLUSTER_SCOPED:
            metadata.pop("namespace", None)
            self._outside.append((kind, metadata["name"]))
        elif metadata.get("namespace", "default") == "default":
            metadata["namespace"] = self.namespace
        return {**manifest, "metadata": metadata}

    # the usual ones

    def deploy(self, name: str, *, replicas: int = 1, wait: bool = True, **options: Any) -> Workload:
        """Pods and a Service before them. Options: `service`, further fields of its spec, and those of a deployment."""
        spec = options.pop("service", {})
        self.apply(objects.service_of(name, **spec), objects.deployment(name, replicas=replicas, **options))
        made = Workload(self.api, self.namespace, name)
        if wait:
            made.until_ready(replicas)
        return made

    def ingress(self, name: str, *rules: Rule, **options: Any) -> Manifest:
        """An Ingress of the test's class, unless `class_name` says otherwise."""
        return self.apply(manifests.ingress(name, *rules, **{"class_name": self.class_name, **options}))

    def addresses(self, ingress: str) -> list[dict[str, Any]]:
        """What an Ingress's status says."""
        found = self.read("Ingress", ingress)
        assert found, f"no Ingress {ingress}"
        listed: list[dict[str, Any]] = found.get("status", {}).get("loadBalancer", {}).get("ingress") or []
        return listed

    def events(self, about: str) -> list[Manifest]:
        """The Events on the objects of that name, as events.k8s.io has them."""
        return [each for each in self.api.list("Event", self.namespace) if each["regarding"].get("name") == about]

    def give_back_lease(self, name: str) -> None:
        """Makes a Lease that looks as if a leader had given it back, where there is none."""
        if self.read("Lease", name) is None:
            self.create(objects.given_back_lease(name))

    # other ways in

    def through(self, proxy: FaultProxy, token: str) -> Api:
        """The API by way of a fault proxy, as whoever the token is of. The caller closes it."""
        return Api(proxy.address, ssl.create_default_context(cafile=self.plane.ca), token)

    # what the pods saw

    def seen(self) -> dict[str, list[str]]:
        """For each `X-Id` that a request had: the pods that it reached, one entry a time."""
        connection = http.client.HTTPConnection(*SEEN_AT, timeout=20)
        try:
            connection.request("GET", f"/seen?namespace={self.namespace}")
            found: dict[str, list[str]] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return found

    def remove(self) -> None:
        """Asks for the removal of all that was made."""
        for kind, name in self._outside:
            self.api.delete(kind, name)
        self.api.delete("Namespace", self.namespace)


@contextmanager
def space(plane: ControlPlane, api: Api, name: str) -> Iterator[Space]:
    """Makes a namespace and an IngressClass of that name, and asks for their removal at the end."""
    made = Space(plane, api, name)
    try:
        made.apply(objects.namespace(name), manifests.ingress_class(name, made.controller_class))
        yield made
    finally:
        made.remove()
