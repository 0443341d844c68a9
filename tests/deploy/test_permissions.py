"""The RBAC of the chart grants what the table of permissions says, for the same options, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from fastingress.sources.cluster.kinds import NOBODY, Named
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.rbac import rbac
from tests.support import helm
from tests.support.manifests import Manifest

pytestmark = pytest.mark.usefixtures("helm")

RELEASE, NAMESPACE, ACCOUNT = "edge", "edge-system", "edge-fastingress"
ALWAYS: dict[str, Any] = {"own_namespace": NAMESPACE, "election_id": f"{ACCOUNT}-leader"}
OWN = f"{NAMESPACE}/{ACCOUNT}"

CASES: dict[str, tuple[dict[str, Any], ClusterOptions, Named]] = {
    "defaults": ({}, ClusterOptions(**ALWAYS, publish_service=OWN), NOBODY),
    "watched namespaces": (
        {"watchNamespaces": ["shop", "blog"]},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespaces=("shop", "blog")),
        NOBODY,
    ),
    "the own namespace alone": (
        {"watchNamespaces": [NAMESPACE]},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespaces=(NAMESPACE,)),
        NOBODY,
    ),
    "watched namespaces by their labels": (
        {"watchNamespaceSelector": "team=a"},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespace_selector="team=a"),
        NOBODY,
    ),
    "secrets by name, everywhere": (
        {"secretAccess": "named", "secretNames": {"shop": ["tls", "users"], "blog": ["tls"]}},
        ClusterOptions(**ALWAYS, publish_service=OWN, secret_access="named"),
        Named(secrets={"shop": ["tls", "users"], "blog": ["tls"]}, config_maps={}),
    ),
    "a certificate that a flag names": (
        {"watchNamespaces": ["shop"], "config": {"default-ssl-certificate": "edge/wildcard"}},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespaces=("shop",)),
        Named(secrets={"edge": ["wildcard"]}, config_maps={}),
    ),
    "a certificate that a flag names, in a watched namespace": (
        {"watchNamespaces": ["shop"], "config": {"default-ssl-certificate": "shop/wildcard"}},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespaces=("shop",)),
        Named(secrets={"shop": ["wildcard"]}, config_maps={}),
    ),
    "a certificate that a flag names, everywhere": (
        {"config": {"default-ssl-certificate": "edge/wildcard"}},
        ClusterOptions(**ALWAYS, publish_service=OWN),
        Named(secrets={"edge": ["wildcard"]}, config_maps={}),
    ),
    "keys of session tickets, with Secrets by name": (
        {"secretAccess": "named", "config": {"ssl-session-ticket-secret": "edge/tickets"}},
        ClusterOptions(**ALWAYS, publish_service=OWN, secret_access="named"),
        Named(secrets={"edge": ["tickets"]}, config_maps={}),
    ),
    "TCP and UDP services beside ConfigMaps by name": (
        {"configMapNames": {"shop": ["settings"]}, "tcp": {9000: "shop/db:1"}, "udp": {53: "shop/dns:53"}},
        ClusterOptions(**ALWAYS, publish_service=OWN, config_maps=(f"{OWN}-tcp", f"{OWN}-udp")),
        Named(secrets={}, config_maps={"shop": ["settings"]}),
    ),
    "TCP services in watched namespaces": (
        {"watchNamespaces": ["shop"], "tcp": {9000: "shop/db:1"}},
        ClusterOptions(**ALWAYS, publish_service=OWN, namespaces=("shop",), config_maps=(f"{OWN}-tcp",)),
        NOBODY,
    ),
    "no status": (
        {"status": {"update": False}},
        ClusterOptions(**ALWAYS, publish_service=OWN, update_status=False),
        NOBODY,
    ),
    "no address to write": (
        {"service": {"type": "ClusterIP"}},
        ClusterOptions(**ALWAYS, update_status=False),
        NOBODY,
    ),
    "nothing written": (
        {"status": {"update": False}, "events": False, "watchNamespaces": ["shop"]},
        ClusterOptions(**ALWAYS, publish_service=OWN, update_status=False, publish_events=False, namespaces=("shop",)),
        NOBODY,
    ),
    "some-namespaces": (
        helm.values_of("some-namespaces"),
        ClusterOptions(
            **ALWAYS,
            publish_service="edge/balancer",
            namespaces=("shop", "blog"),
            secret_access="named",
            config_maps=(f"{OWN}-tcp",),
        ),
        Named(
            secrets={"shop": ["shop-tls", "staff-users"], "blog": ["blog-tls"], "edge": ["wildcard", "tickets"]},
            config_maps={"shop": ["team-a"]},
        ),
    ),
    "selected-namespaces": (
        helm.values_of("selected-namespaces"),
        ClusterOptions(**ALWAYS, namespace_selector="ingress=public,team in (a,b)", publish_events=False),
        Named(secrets={"shared": ["wildcard"]}, config_maps={}),
    ),
    "nodes": (
        helm.values_of("nodes"),
        ClusterOptions(**ALWAYS, nodes=True, zone=True, config_maps=(f"{OWN}-tcp",)),
        NOBODY,
    ),
    "silent": (
        helm.values_of("silent"),
        ClusterOptions(**ALWAYS, zone=True, update_status=False, publish_events=False),
        NOBODY,
    ),
    "everything": (
        helm.values_of("everything"),
        ClusterOptions(**ALWAYS, publish_service=OWN, config_maps=(f"{OWN}-tcp", f"{OWN}-udp")),
        NOBODY,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_chart_grants_what_the_table_says(case: str) -> None:
    values, options, named = CASES[case]
    rendered = [each for each in helm.rendered(values, release=RELEASE, namespace=NAMESPACE) if "Role" in each["kind"]]
    wanted = rbac(options, named, name=ACCOUNT)
    assert granted(rendered) == granted(wanted)
    assert bound(rendered) == bound(wanted)


@pytest.mark.parametrize("case", CASES)
def test_the_arguments_of_the_chart_ask_for_what_it_grants(case: str) -> None:
    values, _, named = CASES[case]
    rendered = helm.rendered(values, release=RELEASE, namespace=NAMESPACE)
    arguments = [argument.replace("$(POD_IP)", "192.0.2.1") for argument in helm.arguments_of(rendered)]
    names = [f"--secret={namespace}/{name}" for namespace, each in named.secrets.items() for name in each]
    names += [f"--config-map={namespace}/{name}" for namespace, each in named.config_maps.items() for name in each]
    command = [sys.executable, "-m", "fastingress", "rbac", "--name", ACCOUNT, *names, *arguments]
    environment = {**os.environ, "POD_NAMESPACE": NAMESPACE}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert granted(rendered) == granted(helm.objects(done.stdout))


def test_every_file_of_values_is_compared() -> None:
    assert set(helm.VALUES) <= set(CASES)


def test_a_secret_that_nobody_named_cannot_be_listed() -> None:
    values = {"secretAccess": "named", "secretNames": {"shop": ["tls"]}}
    for place, _, resource, name, verb in granted(helm.rendered(values)):
        if resource == "secrets":
            assert (place, name) == ("shop", "tls")
            assert verb in {"get", "watch"}


def granted(objects: Iterable[Manifest]) -> set[tuple[str, str, str, str, str]]:
    """Namespace, API group, resource, name and verb; an empty name for all of them."""
    return {
        (role["metadata"].get("namespace", ""), group, resource, name, verb)
        for role in objects
        if role["kind"] in {"Role", "ClusterRole"}
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def bound(objects: Iterable[Manifest]) -> set[tuple[str, str, str, str]]:
    """Where which role is bound to which account."""
    return {
        (
            binding["metadata"].get("namespace", ""),
            binding["roleRef"]["kind"],
            binding["roleRef"]["name"],
            f"{subject['namespace']}/{subject['name']}",
        )
        for binding in objects
        if binding["kind"].endswith("Binding")
        for subject in binding["subjects"]
    }
