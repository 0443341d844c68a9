"""`check` finds what a run with the same options would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fastingress
from fastingress.cli import main
from fastingress.config import FLAGS
from tests.support import manifests
from tests.support.certificates import Authority, self_signed_ed25519
from tests.support.eventually import eventually
from tests.support.manifests import Manifest, Rule, ingress, plain_service, service
from tests.support.tcp import free_port
from tests.unit.cli.commands import run

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def opaque(name: str, *, namespace: str = "default", **data: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    entries = {key.replace("_", "."): text for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries}


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """Manifests with something that only some option makes a problem, or no problem, of each kind."""
    theirs = {"auth-tls-secret": "other/clients"}
    manifests.write(
        tmp_path / "all.yaml",
        service("web", "127.0.0.1:1"),
        ingress("raw", Rule("web", host="raw.example.com"), annotations={"ssl-passthrough": "true"}),
        ingress("asks", Rule("web", host="a.example.com"), annotations={"auth-tls-secret": "default/clients"}),
        ingress("theirs", Rule("web", host="b.example.com"), annotations=theirs),
        opaque("clients", ca_crt=BROKEN.decode()),
        opaque("clients", namespace="other", ca_crt=authority.pem.decode()),
        opaque("tickets", **{"ssl-session-ticket-key": "short"}),
        self_signed_ed25519("elsewhere.example.com").secret("cert"),
        ingress("named", Rule("web", host="c.example.com"), tls={"cert": ["c.example.com"]}),
        plain_service("plain", {"port": 80}),
        ingress("plain", Rule("plain", host="d.example.com")),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "tcp", "namespace": "default"},
            "data": {"0": "default/web:80", "9": "default/nobody:80:PROXY"},
        },
    )
    return tmp_path


def as_flags(options: dict[str, Any]) -> list[str]:
    return [f"{FLAGS[name].option}={str(value).lower() if value is True else value}" for name, value in options.items()]


@pytest.mark.parametrize(
    ("options", "code", "is_found"),
    [
        ({}, "InvalidAuthority", True),
        ({}, "PassthroughDisabled", True),
        ({"enable_ssl_passthrough": True}, "PassthroughDisabled", False),
        ({}, "ForeignSecret", True),
        ({"allow_cross_namespace_resources": True}, "ForeignSecret", False),
        ({"ssl_session_ticket_secret": "default/tickets"}, "InvalidSecret", True),
        ({"tcp_services_configmap": "default/tcp"}, "InvalidStream", True),
        ({"tcp_services_configmap": "default/tcp"}, "UntrustedProxy", True),
        ({"tcp_services_configmap": "default/tcp", "proxy_protocol_from": "::/0"}, "UntrustedProxy", False),
        ({"udp_services_configmap": "default/udp"}, "MissingConfigMap", True),
        ({"service_upstream": True}, "NoClusterIP", True),
        ({}, "CertificateExpiresSoon", True),
        ({"certificate_expiry_warning": 0}, "CertificateExpiresSoon", False),
        ({"all_ingress_classes": True, "default_ssl_certificate": "default/none"}, "MissingSecret", True),
    ],
)
def test_the_problems_are_those_of_a_run_with_the_same_options(
    folder: Path, options: dict[str, Any], code: str, is_found: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", str(folder), "--output", "json", *as_flags(options)])
    found = json.loads(capsys.readouterr().out)
    assert (code in {problem["code"] for problem in found}) is is_found, found
    with fastingress.Gateway(folder, bind="127.0.0.1", **options) as gateway:
        eventually(lambda: [problem.message for problem in gateway.problems] == [one["message"] for one in found])


def test_ports_of_flags_are_problems_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tcp, udp = free_port(), free_port()
    arguments = ["check", str(folder), "--tcp", f"{tcp}=default/nobody:80", "--udp", f"{udp}=default/web:80"]
    assert main(arguments) == 1
    printed = capsys.readouterr().out
    assert f"Service default/nobody does not exist; connections to port {tcp} are closed (MissingService)" in printed
    assert f"it has 80 (http); datagrams to port {udp} are dropped (MissingPort)" in printed


def test_a_gateway_that_runs_has_its_own_options() -> None:
    done = run("check", "--admin", "http://127.0.0.1:1", "--enable-ssl-passthrough")
    assert done.returncode == 2
    assert "--admin asks a running gateway, which has its own --enable-ssl-passthrough" in done.stderr


def test_a_port_in_another_spelling_is_wrong_itself_and_takes_no_port_of_another(tmp_path: Path) -> None:
    entries = {"09000": "default/db:80", "9000": "default/db:80", "9001": "default/db:080", "00": "default/db:80"}
    metadata = {"name": "tcp", "namespace": "default"}
    manifests.write(
        tmp_path / "all.yaml",
        service("db", "127.0.0.1:1"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries},
    )
    table = fastingress.RouteTable.from_manifests(tmp_path, tcp_services_configmap="default/tcp")
    assert [port.port for port in table.ports] == [9000]
    assert [(problem.code, problem.message.split(";")[0]) for problem in table.problems] == [
        ("InvalidStream", "data[00]: '00' is not a port from 1 to 65535"),
        ("InvalidStream", "data[09000]: '09000' is not a port: it is written 9000"),
        ("InvalidStream", "data[9001]: '080' is not a port: it is written 80"),
    ]
