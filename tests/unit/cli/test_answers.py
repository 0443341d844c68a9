"""What `routes`, `explain` and `check` print, to the letter, and that a running gateway says the same."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

import fastingress
from fastingress.cli import main
from tests.support.tcp import free_port
from tests.unit.cli.commands import GOLDEN, run

ANSWERS = {
    "routes": (["routes", "manifests"], 0),
    "explain_winner": (["explain", "http://shop.example.com/cart", "--manifests", "manifests"], 0),
    "explain_none": (["explain", "-H", "Host: nowhere", "http://127.0.0.1/x", "--manifests", "manifests/shop.yaml"], 1),
    "check": (["check", "manifests"], 1),
}
FLAGS = ["--tcp-services-configmap", "default/tcp", "--udp", "53=default/dns:53", "--proxy-protocol-from", "10.0.0.0/8"]
CONNECTIONS = ["--manifests", "connections", "--enable-ssl-passthrough", *FLAGS]
OF_CONNECTIONS = {
    "routes_connections": (["routes"], 0),
    "explain_passthrough": (["explain", "https://raw.example.com/x"], 0),
    "explain_clients": (["explain", "https://staff.example.com:9000/"], 0),
    "explain_tcp": (["explain", "tcp://:9200"], 0),
    "explain_udp": (["explain", "udp://anywhere:53"], 1),
    "explain_no_port": (["explain", "tcp://:53"], 1),
    "explain_own_port": (["explain", "tcp://:8443"], 1),
}
"""What holds before there is a request: pass-through, clients' certificates, ports that are not looked into."""


@pytest.fixture(autouse=True)
def _at_the_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    for name in os.environ:
        if name.startswith("FASTINGRESS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", OF_CONNECTIONS)
def test_the_printed_answer_about_connections(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, status = OF_CONNECTIONS[name]
    assert main([*arguments, *CONNECTIONS]) == status
    assert capsys.readouterr() == ((GOLDEN / f"{name}.txt").read_text(encoding="utf-8"), "")


@pytest.mark.parametrize("name", ANSWERS)
def test_the_printed_answer(name: str) -> None:
    arguments, status = ANSWERS[name]
    done = run(*arguments)
    assert (done.stdout, done.stderr) == ((GOLDEN / f"{name}.txt").read_text(encoding="utf-8"), "")
    assert done.returncode == status


def test_the_same_questions_to_a_running_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    with fastingress.Gateway("manifests") as gateway:
        assert len(gateway.problems) == 7
        for arguments, status in ANSWERS.values():
            if arguments[-1] == "manifests":
                assert main(arguments) == status
                from_manifests = capsys.readouterr().out
                rest = [word for word in arguments if word not in ("manifests", "--manifests")]
                assert main([*rest, "--admin", gateway.admin_url]) == status
                assert capsys.readouterr().out == from_manifests


def test_a_running_gateway_says_the_same_of_connections_and_where_it_listens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    port, taken = free_port(), socket.create_server(("127.0.0.1", 0))
    text = Path("connections/all.yaml").read_text("utf-8")
    for old, new in (("9000", port), ("9100", taken.getsockname()[1]), ("9200", free_port())):
        text = text.replace(f'"{old}"', f'"{new}"')
    (tmp_path / "all.yaml").write_text(text, "utf-8")
    options = {"enable_ssl_passthrough": True, "tcp_services_configmap": "default/tcp"}
    source = ["--manifests", str(tmp_path), "--enable-ssl-passthrough", "--tcp-services-configmap=default/tcp"]
    with taken, fastingress.Gateway(tmp_path, bind="127.0.0.1", **options) as gateway:
        for url in ("https://raw.example.com/", f"https://staff.example.com:{port}/"):
            main(["explain", url, *source])
            from_manifests = capsys.readouterr().out
            main(["explain", url, "--admin", gateway.admin_url])
            assert capsys.readouterr().out == from_manifests
        main(["explain", f"tcp://:{port}", *source])
        from_manifests = capsys.readouterr().out
        main(["explain", f"tcp://:{port}", "--admin", gateway.admin_url])
        assert capsys.readouterr().out == f"{from_manifests}listening on   127.0.0.1:{port}\n"
        assert main(["routes", "--admin", gateway.admin_url]) == 0
        printed = capsys.readouterr().out
        assert f"\ntcp {port}  " in printed
        assert f"\ntcp {taken.getsockname()[1]} (not open)  " in printed


def test_json_answers_hold_what_the_tables_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "manifests", "--output", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["ports"] == []
    assert [(route["host"], route["path"], route["ingress"]) for route in table["routes"]] == [
        ("*.example.com", "/", "shop"),
        ("shop.example.com", "/cart", "shop"),
        ("shop.example.com", "/", "shop"),
        ("", "", "tls"),
    ]

    assert main(["explain", "shop.example.com/cart", "--manifests", "manifests", "-o", "json"]) == 0
    explanation = json.loads(capsys.readouterr().out)
    assert explanation["winner"]["service"] == "default/cart:http"
    assert len(explanation["losers"]) == 4

    assert (explanation["passthrough"], explanation["client_auth"]) == (None, None)

    assert main(["explain", "raw.example.com", *CONNECTIONS, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["passthrough"]["service"] == "default/db:443"
    assert main(["explain", "staff.example.com", *CONNECTIONS, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["client_auth"] == {
        "authority": "default/clients",
        "verify": "on",
        "depth": 2,
        "match_cn": "CN=(alice|bob)",
        "error_page": "https://example.com/sorry",
        "pass_certificate": False,
    }
    assert main(["routes", *CONNECTIONS, "-o", "json"]) == 0
    ports = json.loads(capsys.readouterr().out)["ports"]
    assert [(port["protocol"], port["port"]) for port in ports] == [
        ("tcp", 9000),
        ("tcp", 9100),
        ("tcp", 9200),
        ("udp", 53),
    ]
    assert main(["explain", "tcp://:9000", *CONNECTIONS, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == ports[0]
    assert main(["explain", "tcp://:1", *CONNECTIONS, "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out) is None

    assert main(["check", "manifests", "-o", "json"]) == 1
    problems = json.loads(capsys.readouterr().out)
    assert {problem["code"] for problem in problems} == {
        "MissingService",
        "ConflictLost",
        "InvalidRegex",
        "InvalidCertificate",
        "NoEndpoints",
    }
    assert all(problem["origin"]["line"] and problem["object"]["name"] for problem in problems)


def test_options_change_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    backend = ["--default-backend-service", "default/front:80"]
    arguments = ["explain", "http://nowhere/", "--manifests", "manifests/shop.yaml", *backend]
    assert main(arguments) == 0
    assert "default/front:80" in capsys.readouterr().out

    assert main(["routes", "manifests", "--watch-ingress-without-class=false", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"routes": [], "ports": []}


def test_no_problems_is_said(capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]) -> None:
    assert main(["check", os.fspath(tmp_path)]) == 0
    assert capsys.readouterr().out == "no problems\n"
