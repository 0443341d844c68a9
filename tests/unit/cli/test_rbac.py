"""`rbac` prints, as YAML, what the table of permissions says for the options of a controller."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fastingress.cli import main
from fastingress.sources.cluster.kinds import NOBODY, Named
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.rbac import rbac

Printed = pytest.CaptureFixture[str]

EDGE: dict[str, Any] = {"own_namespace": "edge"}
CASES: dict[str, tuple[list[str], ClusterOptions, Named]] = {
    "nothing published": ([], ClusterOptions(**EDGE, update_status=False), NOBODY),
    "a published Service": (
        ["--publish-service", "edge/front", "--watch-namespace", "shop", "--watch-namespace", "blog"],
        ClusterOptions(**EDGE, publish_service="edge/front", namespaces=("shop", "blog")),
        NOBODY,
    ),
    "Secrets by name": (
        ["--secret-access", "named", "--secret", "shop/tls", "--secret", "shop/users", "--update-status"],
        ClusterOptions(**EDGE, secret_access="named"),
        Named(secrets={"shop": ["tls", "users"]}, config_maps={}),
    ),
    "a default certificate, and a ConfigMap by name": (
        ["--default-ssl-certificate", "edge/tls", "--config-map", "edge/settings", "--watch-namespace", "shop"],
        ClusterOptions(**EDGE, namespaces=("shop",), update_status=False),
        Named(secrets={"edge": ["tls"]}, config_maps={"edge": ["settings"]}),
    ),
    "keys of session tickets": (
        ["--ssl-session-ticket-secret", "edge/tickets", "--secret-access", "named", "--secret", "edge/tls"],
        ClusterOptions(**EDGE, secret_access="named", update_status=False),
        Named(secrets={"edge": ["tls", "tickets"]}, config_maps={}),
    ),
    "addresses of nodes": (
        ["--publish-node-addresses", "external", "--topology-aware-routing", "--watch-namespace-selector", "a=b"],
        ClusterOptions(**EDGE, nodes=True, zone=True, namespace_selector="a=b"),
        NOBODY,
    ),
    "nothing written": (
        ["--publish-status-address", "192.0.2.1", "--no-update-status", "--no-publish-events"],
        ClusterOptions(**EDGE, update_status=False, publish_events=False),
        NOBODY,
    ),
    "all classes": (
        ["--publish-status-address", "192.0.2.1", "--all-ingress-classes", "--election-id", "other"],
        ClusterOptions(**EDGE, update_status=False, election_id="other"),
        NOBODY,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_printed_is_what_the_table_says(case: str, capsys: Printed) -> None:
    flags, options, named = CASES[case]
    assert main(["rbac", "--name", "front", "--namespace", "edge", *flags]) == 0
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == rbac(options, named, name="front")


def test_a_rule_reads_as_people_write_it(capsys: Printed) -> None:
    assert main(["rbac"]) == 0
    printed = capsys.readouterr().out
    assert "- apiGroups: [networking.k8s.io]\n  resources: [ingresses, ingressclasses]\n" in printed
    assert "  verbs: [list, watch]\n" in printed
    assert "namespace: fastingress\n" in printed
    assert "&id" not in printed


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--secret", "tls"], "--secret: 'tls' is not of the form NAMESPACE/NAME"),
        (["--config-map", "a/b/c"], "--config-map: 'a/b/c' is not of the form NAMESPACE/NAME"),
        (
            ["--watch-namespace", "a", "--watch-namespace-selector", "b=c"],
            "--watch-namespace, --watch-namespace-selector: namespaces by name and by selector exclude each other",
        ),
    ],
)
def test_a_wrong_command_line_is_refused(flags: list[str], complaint: str, capsys: Printed) -> None:
    assert main(["rbac", *flags]) == 2
    assert capsys.readouterr().err == f"fastingress: {complaint}\n"
