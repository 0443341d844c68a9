"""Pods behind a Service: their life in a test, and the waits for what the control plane makes of it."""

from __future__ import annotations

import time
from typing import Any

from tests.cluster.support.api import Api
from tests.support.eventually import eventually
from tests.support.manifests import Manifest

DEADLINE = 60.0


class Workload:
    """A Deployment and a Service of the same name."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self.api = api
        self.namespace = namespace
        self.name = name

    # what there is

    def pods(self) -> list[Manifest]:
        """Its pods, those that are being deleted too."""
        return self.api.list("Pod", self.namespace, labelSelector=f"app={self.name}")

    def pod_names(self) -> set[str]:
        """The names of its pods that are not being deleted."""
        return {each["metadata"]["name"] for each in self.pods() if "deletionTimestamp" not in each["metadata"]}

    def slices(self) -> list[Manifest]:
        """The EndpointSlices of its Service."""
        selector = f"kubernetes.io/service-name={self.name}"
        return self.api.list("EndpointSlice", self.namespace, labelSelector=selector)

    def ready_addresses(self, family: str = "IPv4") -> set[str]:
        """The addresses of its endpoints that are ready."""
        return {
            address
            for piece in self.slices()
            if piece["addressType"] == family
            for endpoint in piece["endpoints"] or ()
            if endpoint["conditions"].get("ready", True)
            for address in endpoint["addresses"]
        }

    # what is done to it

    def scale(self, replicas: int) -> None:
        """Asks for that many pods, and waits until so many are ready endpoints and no others are there."""
        self.api.patch("Deployment", self.name, {"spec": {"replicas": replicas}}, self.namespace)
        self.until_ready(replicas)

    def roll(self, *, wait: bool = True) -> None:
        """Replaces all pods, as `kubectl rollout restart` does."""
        mark = {"metadata": {"annotations": {"tests/rolled": str(time.time_ns())}}}
        self.api.patch("Deployment", self.name, {"spec": {"template": mark}}, self.namespace)
        if wait:
            self.until_rolled_out()

    def annotate_pods(self, **annotations: str) -> None:
        """Annotates the pods there are: `ready="false"` makes them unready."""
        change = {"metadata": {"annotations": {f"fake-kubelet/{key}": value for key, value in annotations.items()}}}
        for name in self.pod_names():
            self.api.patch("Pod", name, change, self.namespace)

    def delete_pod(self, name: str, *, grace: int | None = None) -> None:
        """Deletes one pod; the Deployment makes another. `grace=0` cuts it off at once."""
        self.api.delete("Pod", name, self.namespace, grace=grace)

    # waiting

    def until_ready(self, endpoints: int) -> None:
        """Waits until its Service has exactly that many ready endpoints."""
        eventually(
            lambda: len(self.ready_addresses()) == endpoints,
            deadline=DEADLINE,
            what=f"{endpoints} ready endpoints of {self.namespace}/{self.name}",
        )

    def until_rolled_out(self) -> None:
        """Waits until all pods are of the newest template, ready, and the old ones gone."""
        eventually(self._is_rolled_out, deadline=2 * DEADLINE, what=f"{self.namespace}/{self.name} is rolled out")

    def _is_rolled_out(self) -> bool:
        found = self.api.read("Deployment", self.name, self.namespace)
        assert found
        status: dict[str, Any] = found["status"]
        wanted = found["spec"]["replicas"]
        counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
        is_seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        return is_seen and counts == {wanted} and len(self.pods()) == wanted
