"""The chart renders what its values say and refuses what they cannot mean, and the plain manifests are made from it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fastingress.config import FLAGS, Config
from tests.support import helm

pytestmark = pytest.mark.usefixtures("helm")

CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass"}
ALL_VALUES = ["", *helm.VALUES]


def values_of(name: str) -> dict[str, Any]:
    return helm.values_of(name) if name else {}


@pytest.fixture(scope="module")
def render() -> ModuleType:
    """`deploy/render.py`."""
    spec = importlib.util.spec_from_file_location("render", helm.ROOT / "deploy" / "render.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["render"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# values


@pytest.mark.parametrize("name", ALL_VALUES)
def test_there_is_nothing_to_find_for_the_lint(name: str) -> None:
    done = helm.lint(values_of(name))
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ALL_VALUES)
def test_every_object_is_there_once_and_says_where_it_belongs(name: str) -> None:
    objects = helm.rendered(values_of(name), release="edge", namespace="edge-system")
    names = [helm.name_of(each) for each in objects]
    assert sorted(set(names)) == sorted(names)
    for kind, namespace, _ in names:
        assert bool(namespace) == (kind not in CLUSTER_SCOPED), kind


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 3}, "'replica' not allowed"),
        ({"ingressClass": {"controler": "example.com/x"}}, "'controler' not allowed"),
        ({"config": {"http-port": 80}}, "invalid propertyName 'http-port'"),
        ({"config": {"update_status": False}}, "invalid propertyName 'update_status'"),
        ({"secretAccess": "list"}, "/secretAccess"),
        ({"drain": {"delaySeconds": "30s"}}, "/drain/delaySeconds"),
        ({"watchNamespaces": ["a"], "watchNamespaceSelector": "b=c"}, "exclude each other"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(values: dict[str, Any], said: str) -> None:
    done = helm.template(values)
    assert done.returncode != 0
    assert said in done.stderr


def test_every_value_is_in_the_schema() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text(encoding="utf-8"))
    (values,) = helm.objects((helm.CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values) | {"global"} == set(schema["properties"])
    for name, value in values.items():
        described = schema["properties"][name].get("properties")
        if described is not None and name != "config":
            assert set(value) <= set(described), name
            assert set(value) == set(described) or value == {}, name


# arguments


@pytest.mark.parametrize("name", ALL_VALUES)
def test_every_argument_is_an_option_that_is_understood(name: str) -> None:
    flags = {flag.option: flag for flag in FLAGS.values()}
    for argument in helm.arguments_of(helm.rendered(values_of(name))):
        option, _, value = argument.partition("=")
        flags[option].kind.parse(value.replace("$(POD_IP)", "192.0.2.1"))


def test_the_chart_decides_an_option_or_config_does_and_never_both() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text(encoding="utf-8"))
    kept = set(schema["properties"]["config"]["propertyNames"]["not"]["enum"])
    assert kept <= {flag.option[2:] for flag in FLAGS.values()}
    # What values.yaml and the files of values put into `config` is not the chart's own.
    free = {name for each in ALL_VALUES for name in values_of(each).get("config", {})} | {"access-log", "log-format"}
    for name in ALL_VALUES:
        extra = values_of(name).get("extraArgs", [])
        rendered = [argument for argument in helm.arguments_of(helm.rendered(values_of(name))) if argument not in extra]
        assert {argument.partition("=")[0][2:] for argument in rendered} <= kept | free


def test_config_takes_switches_numbers_and_lists_as_they_are_meant() -> None:
    config = {"metrics-per-ingress": False, "body-limit": 10 << 20, "trusted-proxies": ["10.0.0.0/8", "fd00::/8"]}
    given = helm.arguments_of(helm.rendered({"config": config, "extraArgs": ["--log-level=debug"]}))
    for expected in (
        "--metrics-per-ingress=false",
        "--body-limit=10485760",
        "--trusted-proxies=10.0.0.0/8",
        "--trusted-proxies=fd00::/8",
        "--access-log=json",
    ):
        assert expected in given
    assert given[-1] == "--log-level=debug"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"use-proxy-protocol": True, "proxy-protocol-from": ["10.0.0.0/8", "fd00::/8"]},
            Config(use_proxy_protocol=True, proxy_protocol_from=("10.0.0.0/8", "fd00::/8")),
        ),
        ({"enable-ssl-passthrough": True}, Config(enable_ssl_passthrough=True)),
        (
            {"ssl-session-tickets": False, "ssl-session-ticket-secret": "edge/tickets"},
            Config(ssl_session_tickets=False, ssl_session_ticket_secret="edge/tickets"),
        ),
        (
            {"hsts": False, "hsts-max-age": 63072000, "hsts-include-subdomains": False, "hsts-preload": True},
            Config(hsts=False, hsts_max_age=63072000, hsts_include_subdomains=False, hsts_preload=True),
        ),
        ({"enable-ocsp": True}, Config(enable_ocsp=True)),
        ({"stream-timeout": "1h", "udp-timeout": "5s"}, Config(stream_timeout=3600, udp_timeout=5)),
    ],
)
def test_what_config_says_arrives_as_it_was_meant(config: dict[str, Any], expected: Config) -> None:
    given: dict[str, list[str]] = {}
    for argument in helm.arguments_of(helm.rendered({"config": config})):
        option, _, value = argument.partition("=")
        given.setdefault(option, []).append(value)
    for name in config:
        flag = FLAGS[name.replace("-", "_")]
        words = given[flag.option]
        parsed = flag.kind.parse(words if len(words) > 1 else words[0])
        assert parsed == getattr(expected, flag.name), flag.option


def test_every_option_that_the_chart_leaves_open_can_be_given() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text(encoding="utf-8"))
    kept = set(schema["properties"]["config"]["propertyNames"]["not"]["enum"])
    free = [flag for flag in FLAGS.values() if flag.option[2:] not in kept]
    assert len(free) > 30
    given = helm.arguments_of(helm.rendered({"config": {flag.option[2:]: "a/b" for flag in free}}))
    assert {f"{flag.option}=a/b" for flag in free} <= set(given)


# what depends on what


@pytest.mark.parametrize(("delay", "timeout"), [(0, 0), (5, 25), (30, 30), (120, 3600)])
def test_the_grace_period_is_longer_than_the_drain(delay: int, timeout: int) -> None:
    objects = helm.rendered({"drain": {"delaySeconds": delay, "timeoutSeconds": timeout}})
    (deployment,) = helm.of_kind(objects, "Deployment")
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > delay + timeout
    given = helm.arguments_of(objects)
    assert f"--shutdown-delay={delay}s" in given
    assert f"--drain-timeout={timeout}s" in given


def test_the_container_may_write_nothing_and_is_nobody() -> None:
    (deployment,) = helm.of_kind(helm.rendered(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["runAsUser"] > 0
    assert min(port["containerPort"] for port in container["ports"]) > 1023
    assert "volumes" not in pod
    assert "lifecycle" not in container
    assert {each["name"] for each in container["env"]} == {"POD_NAME", "POD_NAMESPACE", "POD_IP", "NODE_NAME"}


def test_the_policy_of_the_example_lets_in_the_pods_of_the_controller_and_no_others() -> None:
    objects = helm.rendered({"exampleApplication": {"enabled": True}}, release="edge", namespace="edge-system")
    (controller,) = (each for each in helm.of_kind(objects, "Deployment") if each["metadata"]["name"] != "hello")
    (application,) = (each for each in helm.of_kind(objects, "Deployment") if each["metadata"]["name"] == "hello")
    policies = {each["metadata"]["name"]: each["spec"] for each in helm.of_kind(objects, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    targeted = policies["allow-fastingress"]
    assert targeted["podSelector"] == application["spec"]["selector"]
    (rule,) = targeted["ingress"]
    # One peer with both selectors: in two peers they would let in the whole namespace.
    assert rule["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge-system"}},
            "podSelector": controller["spec"]["selector"],
        }
    ]
    (container,) = application["spec"]["template"]["spec"]["containers"]
    assert [port["port"] for port in rule["ports"]] == [port["containerPort"] for port in container["ports"]]


def test_two_releases_share_nothing() -> None:
    other = {"ingressClass": {"name": "internal", "controller": "example.com/internal"}}
    first = helm.rendered(release="fastingress", namespace="edge")
    second = helm.rendered(other, release="internal", namespace="edge")
    assert not {helm.name_of(each) for each in first} & {helm.name_of(each) for each in second}
    leases = {
        next(argument for argument in helm.arguments_of(each) if argument.startswith("--election-id="))
        for each in (first, second)
    }
    assert len(leases) == 2
    selected = [helm.of_kind(each, "Service")[0]["spec"]["selector"] for each in (first, second)]
    assert selected[0] != selected[1]


def test_an_autoscaler_decides_alone_how_many_replicas_there_are() -> None:
    (fixed,) = helm.of_kind(helm.rendered(), "Deployment")
    assert fixed["spec"]["replicas"] == 2
    (scaled,) = helm.of_kind(helm.rendered({"autoscaling": {"enabled": True}}), "Deployment")
    assert "replicas" not in scaled["spec"]


def test_a_default_class_says_so() -> None:
    (plain,) = helm.of_kind(helm.rendered(), "IngressClass")
    assert "annotations" not in plain["metadata"]
    (default,) = helm.of_kind(helm.rendered({"ingressClass": {"default": True}}), "IngressClass")
    assert default["metadata"]["annotations"] == {"ingressclass.kubernetes.io/is-default-class": "true"}


# plain manifests


def test_the_plain_manifests_are_those_that_make_deploy_writes(render: ModuleType) -> None:
    assert {path.name for path in helm.MANIFESTS.iterdir()} == {each.name for each in render.FILES}
    for each in render.FILES:
        written = (helm.MANIFESTS / each.name).read_text(encoding="utf-8")
        assert written == render.text(str(helm.PROGRAM), each), f"{each.name} is stale: run `make deploy`"


def test_the_plain_manifests_have_every_object_of_the_chart() -> None:
    plain = {
        helm.name_of(each): each
        for path in helm.MANIFESTS.iterdir()
        for each in helm.objects(path.read_text(encoding="utf-8"))
    }
    values = {
        "namespace": {"create": True},
        "exampleApplication": {"enabled": True},
        "serviceMonitor": {"enabled": True},
        "dashboard": {"enabled": True},
    }
    chart = {helm.name_of(each): each for each in helm.rendered(values)}
    (scaler,) = helm.rendered({"autoscaling": {"enabled": True}}, templates=["horizontalpodautoscaler.yaml"])
    assert plain == {**chart, helm.name_of(scaler): scaler}


# the document


def blocks(language: str) -> list[str]:
    text = (helm.ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    return [
        textwrap.dedent(found) for found in re.findall(rf"^ *```{language}\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    ]


def test_the_values_that_the_document_shows_are_taken() -> None:
    shown = [values for block in blocks("yaml") for values in helm.objects(block) if "kind" not in values]
    assert len(shown) >= 3
    for values in shown:
        helm.rendered(values)


def test_the_helm_commands_that_the_document_shows_are_taken(tmp_path: Path) -> None:
    for block in blocks("yaml"):
        if named := re.match(r"# ([a-z-]+\.yaml)\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
    commands = [
        shlex.split(command)
        for block in blocks("console")
        for command in block.replace("\\\n", " ").splitlines()
        if command.startswith("$ helm install ")
    ]
    assert len(commands) >= 3
    for _, _, _, *words in commands:
        words[words.index("deploy/chart/fastingress")] = str(helm.CHART)
        done = subprocess.run(
            [str(helm.PROGRAM), "template", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert helm.arguments_of(helm.objects(done.stdout))
