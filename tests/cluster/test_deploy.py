"""The manifests of `deploy/` at a real API server: taken without a warning, and their pods admitted by strict rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.cluster.support import objects
from tests.cluster.support.api import Api
from tests.cluster.support.control_plane import ControlPlane
from tests.support import helm
from tests.support.eventually import eventually
from tests.support.manifests import Manifest

NEEDS_HELM = pytest.mark.usefixtures("helm")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@pytest.fixture
def monitors(plane: ControlPlane, api: Api) -> Iterator[None]:
    """The kind ServiceMonitor, with the fields that are used and no others, so that a wrong one is refused."""
    text = {"type": "string"}
    texts = {"type": "object", "additionalProperties": text}
    endpoint = {"port": text, "path": text, "interval": text, "honorLabels": {"type": "boolean"}}
    spec = {
        "selector": {"type": "object", "properties": {"matchLabels": texts}},
        "endpoints": {"type": "array", "items": {"type": "object", "properties": endpoint}},
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    definition: Manifest = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"plural": "servicemonitors", "singular": "servicemonitor", "kind": "ServiceMonitor"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    with applied(plane, [definition], gone=True):
        plane.kubectl("wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com")
        eventually(lambda: api.call("GET", "/apis/monitoring.coreos.com/v1"))
        yield


@contextmanager
def applied(plane: ControlPlane, wanted: list[Manifest], *, gone: bool = False) -> Iterator[None]:
    """Applies objects as a person would, with warnings as errors; they are asked to go at the end, or `gone` then."""
    text = yaml.safe_dump_all(wanted)
    try:
        plane.kubectl("apply", "--warnings-as-errors", "--validate=strict", "-f", "-", stdin=text)
        yield
    finally:
        plane.kubectl("delete", "--ignore-not-found", f"--wait={str(gone).lower()}", "-f", "-", stdin=text)


@contextmanager
def rendered(plane: ControlPlane, values: dict[str, Any], *, release: str, namespace: str) -> Iterator[list[Manifest]]:
    """The chart, installed: in a namespace whose pods are held to the strictest rules, unless it brings one."""
    made = helm.rendered(values, release=release, namespace=namespace)
    brought = {each["metadata"]["name"] for each in helm.of_kind(made, "Namespace")}
    named = {namespace, *(each["metadata"].get("namespace", namespace) for each in made)}
    needed = [objects.namespace(name, RESTRICTED) for name in sorted(named - brought)]
    with applied(plane, [*needed, *made]):
        yield made


def running(api: Api, deployment: Manifest) -> int:
    """How many pods of a Deployment run."""
    wanted = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    pods = api.list("Pod", deployment["metadata"]["namespace"], labelSelector=wanted)
    return sum(pod["status"].get("phase") == "Running" for pod in pods)


def until_running(api: Api, deployments: list[Manifest]) -> None:
    wanted = {helm.name_of(each): each["spec"].get("replicas", 1) for each in deployments}
    eventually(lambda: {helm.name_of(each): running(api, each) for each in deployments} == wanted)


@pytest.mark.usefixtures("monitors")
def test_the_plain_manifests_are_taken_as_they_are(plane: ControlPlane, api: Api) -> None:
    files = [helm.MANIFESTS / name for name in ("fastingress.yaml", "example-application.yaml", "monitoring.yaml")]
    wanted = [each for path in files for each in helm.objects(path.read_text(encoding="utf-8"))]
    (scaler,) = helm.objects((helm.MANIFESTS / "autoscaling.yaml").read_text(encoding="utf-8"))
    with applied(plane, [*wanted, scaler]):
        until_running(api, helm.of_kind(wanted, "Deployment"))
        # What they say is what there is, so to apply them a second time changes nothing.
        assert plane.kubectl("diff", "-f", "-", stdin=yaml.safe_dump_all(wanted)).stdout == ""


@pytest.mark.usefixtures("monitors")
@NEEDS_HELM
@pytest.mark.parametrize("name", ["", *helm.VALUES])
def test_the_chart_is_taken_with_all_kinds_of_values(plane: ControlPlane, api: Api, name: str) -> None:
    values = helm.values_of(name) if name else {}
    namespace = f"chart-{name or 'plain'}"
    if "exampleApplication" in values:
        values["exampleApplication"]["namespace"] = f"{namespace}-example"
    with rendered(plane, values, release="edge", namespace=namespace) as made:
        until_running(api, helm.of_kind(made, "Deployment"))


@NEEDS_HELM
def test_each_port_of_the_service_leads_to_one_of_the_pods(plane: ControlPlane, api: Api) -> None:
    values = {
        "http3": {"enabled": True},
        "tcp": {25: "mail/smtp:25", 9000: "shop/db:5432"},
        "udp": {53: "kube-system/kube-dns:53"},
    }
    with rendered(plane, values, release="edge", namespace="chart-ports") as made:
        until_running(api, helm.of_kind(made, "Deployment"))
        [service] = helm.of_kind(made, "Service")
        selector = f"kubernetes.io/service-name={service['metadata']['name']}"
        eventually(lambda: api.list("EndpointSlice", "chart-ports", labelSelector=selector)[0]["endpoints"])
        for piece in api.list("EndpointSlice", "chart-ports", labelSelector=selector):
            leads = {(each["protocol"], each["name"]): each["port"] for each in piece["ports"]}
            assert leads == {
                ("TCP", "http"): 8080,
                ("TCP", "https"): 8443,
                ("UDP", "http3"): 8443,
                ("TCP", "tcp-25"): 25,
                ("TCP", "tcp-9000"): 9000,
                ("UDP", "udp-53"): 53,
            }


@NEEDS_HELM
def test_a_pod_that_wants_more_than_the_rules_allow_would_be_noticed(plane: ControlPlane) -> None:
    made = helm.rendered(release="edge", namespace="chart-spoilt")
    (deployment,) = helm.of_kind(made, "Deployment")
    spoilt = deepcopy(deployment)
    spoilt["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with applied(plane, [objects.namespace("chart-spoilt", RESTRICTED)]):
        words = ("apply", "--warnings-as-errors", "--dry-run=server", "-f", "-")
        refused = plane.kubectl(*words, stdin=yaml.safe_dump(spoilt), check=False)
        assert refused.returncode != 0
        assert "allowPrivilegeEscalation" in refused.stderr
        plane.kubectl(*words, stdin=yaml.safe_dump(deployment))
