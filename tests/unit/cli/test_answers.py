"""What `routes`, `explain` and `check` print, to the letter, and that a running gateway says the same."""

from __future__ import annotations

import json
import os

import pytest

import fastingress
from fastingress.cli import main
from tests.unit.cli.commands import GOLDEN, run

ANSWERS = {
    "routes": (["routes", "manifests"], 0),
    "explain_winner": (["explain", "http://shop.example.com/cart", "--manifests", "manifests"], 0),
    "explain_none": (["explain", "-H", "Host: nowhere", "http://127.0.0.1/x", "--manifests", "manifests/shop.yaml"], 1),
    "check": (["check", "manifests"], 1),
}


@pytest.fixture(autouse=True)
def _at_the_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    for name in os.environ:
        if name.startswith("FASTINGRESS_"):
            monkeypatch.delenv(name)


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


def test_json_answers_hold_what_the_tables_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "manifests", "--output", "json"]) == 0
    routes = json.loads(capsys.readouterr().out)
    assert [(route["host"], route["path"], route["ingress"]) for route in routes] == [
        ("*.example.com", "/", "shop"),
        ("shop.example.com", "/cart", "shop"),
        ("shop.example.com", "/", "shop"),
        ("", "", "tls"),
    ]

    assert main(["explain", "shop.example.com/cart", "--manifests", "manifests", "-o", "json"]) == 0
    explanation = json.loads(capsys.readouterr().out)
    assert explanation["winner"]["service"] == "default/cart:http"
    assert len(explanation["losers"]) == 4

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
    assert json.loads(capsys.readouterr().out) == []


def test_no_problems_is_said(capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]) -> None:
    assert main(["check", os.fspath(tmp_path)]) == 0
    assert capsys.readouterr().out == "no problems\n"
