"""h2spec against the TLS port and the plain port: every case passes, or is listed with the reason why it need not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import h2spec as program
from tests.support.backend import Exchange
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.nginx import nginx as running_nginx

LEAST_CASES = 146
"""All of version 2.2.1, the strict ones too."""


def say_hello(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.answer(200, b"hello\n")


@pytest.mark.parametrize("port", ["tls", "h2c"])
def test_the_gateway_keeps_to_http2(h2spec: None, spawn: Spawn, backends: Backends, tmp_path: Path, port: str) -> None:
    web = backends("web", say_hello)
    plain = {"ssl-redirect": "false"}
    gateway = spawn(service("web", web), ingress("web", Rule("web"), annotations=plain), h2c=True)
    address = gateway.https if port == "tls" else gateway.http
    found = program.verdicts(address, tmp_path / "report.xml", tls=port == "tls")
    assert len(found) >= LEAST_CASES
    reasons = program.exceptions(port)
    failed = {each.name: f"{each.about}: {each.failure}" for each in found if each.failure or each.skipped}
    assert {name: why for name, why in failed.items() if name not in reasons} == {}
    assert set(reasons) - set(failed) == set(), "listed as exceptions, and they pass"


def test_a_case_that_fails_is_seen(h2spec: None, nginx: None, tmp_path: Path) -> None:
    server = "server { listen %PORT% http2; location / { return 200 'hello'; } }"
    with running_nginx(tmp_path / "nginx", server) as (address,):
        found = program.verdicts(address, tmp_path / "report.xml", sections=("http2/6.5.3/1", "http2/8.1.2.3/1"))
    assert [(each.name, bool(each.failure)) for each in found] == [("http2/6.5.3/1", False), ("http2/8.1.2.3/1", True)]
    assert "empty" in found[1].about
