"""What `explain` says of an answer is what a gateway answers, and both sources say the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import fastingress
from fastingress.cli import main
from fastingress.errors import UrlError
from tests.support import manifests
from tests.support.certificates import Authority, self_signed_ed25519
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.unit.cli.test_check import opaque

TCP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "tcp", "namespace": "default"},
    "data": {"9000": "default/web:80", "9001": "default/web:80:PROXY", "9002": "default/nobody:80"},
}


def guarded(name: str, secret: str = "default/clients", **more: str) -> Manifest:
    host, annotations = f"{name}.example.com", {"auth-tls-secret": secret}
    annotations |= {f"auth-tls-{key.replace('_', '-')}": value for key, value in more.items()}
    return ingress(name, Rule("web", host=host), annotations=annotations, tls={"cert": [host]})


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    main(["explain", *arguments])
    rows = (line.split("  ", 1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    return {name: value.strip() for name, value in rows}


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    manifests.write(
        tmp_path / "all.yaml",
        service("web", "127.0.0.1:1"),
        self_signed_ed25519("a.example.com").secret("cert"),
        opaque("broken", tls_crt="x", tls_key="y"),
        opaque("clients", ca_crt=authority.pem.decode()),
        ingress("a", Rule("web", host="a.example.com"), tls={"cert": ["a.example.com"]}),
        ingress("b", Rule("web", host="b.example.com"), tls={"nowhere": ["b.example.com"]}),
        ingress("c", Rule("web", host="c.example.com"), tls={"broken": ["c.example.com"]}),
        ingress("d", Rule("web", host="d.example.com"), annotations={"from-to-www-redirect": "true"}),
        ingress("e", Rule("web", host="e.example.com"), annotations={"app-root": "/app"}),
        ingress("f", Rule("web", host="f.example.com"), annotations={"permanent-redirect": "https://else.where/"}),
        ingress("g", Rule("web", host="g.example.com"), annotations={"allowlist-source-range": "nonsense"}),
        guarded("in"),
        guarded("none", "default/nobodys"),
        guarded("page", "default/nobodys", error_page="https://example.com/sorry"),
        guarded("bad", verify_client="maybe"),
        TCP,
    )
    return tmp_path


ANSWERS = {
    "http://a.example.com/x?y=1": "308 to https://a.example.com/x?y=1",
    "http://a.example.com/.well-known/acme-challenge/x": None,
    "https://a.example.com/x": None,
    "http://b.example.com/": "308 to https://b.example.com/",
    "http://www.d.example.com/x": "308 to http://d.example.com/x",
    "http://d.example.com/x": None,
    "http://e.example.com/": "302 to /app",
    "http://e.example.com/x": None,
    "http://f.example.com/": "301 to https://else.where/",
    "http://g.example.com/": "503",
    "https://in.example.com/": None,
    "https://none.example.com/": "400",
    "https://page.example.com/": "302 to https://example.com/sorry",
    "https://bad.example.com/": "400",
    "http://bad.example.com/": "308 to https://bad.example.com/",
    "http://nowhere.example.com/": "404",
}


@pytest.mark.parametrize("url", ANSWERS)
def test_an_answer_that_is_no_endpoints_is_said(folder: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert facts(capsys, url, "--manifests", str(folder)).get("answer") == ANSWERS[url]


def test_under_ingress_nginx_the_redirect_loses_its_last_slash(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = facts(capsys, "http://a.example.com/", "--manifests", str(folder), "--compat", "ingress-nginx")
    assert found["answer"] == "308 to https://a.example.com"


def test_a_certificate_that_is_not_served_is_not_said_to_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        name: facts(capsys, f"https://{name}.example.com/", "--manifests", str(folder))["certificate"]
        for name in ("a", "b", "c", "d")
    }
    assert told["a"] == "configured for this host"
    assert told["b"] == "the default one: Secret default/nowhere does not exist"
    assert told["c"].startswith("the default one: Secret default/broken: ")
    assert told["d"] == "the default one"


def test_clients_that_nobody_lets_in_are_said_to_be_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        name: facts(capsys, f"https://{name}.example.com/", "--manifests", str(folder))
        for name in ("in", "none", "bad", "g")
    }
    assert told["in"]["clients"].startswith("have to show a certificate that Secret default/clients vouches for")
    assert told["none"]["clients"] == "are all refused: Secret default/nobodys does not exist"
    assert told["bad"]["clients"] == "are all refused: an annotation auth-tls-* cannot be used"
    assert told["bad"]["endpoints"] == told["g"]["endpoints"] == "not asked"


def test_routes_and_check_have_the_status_that_is_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["routes", str(folder)])
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "not asked: 400  auth-tls-secret=(none)" in rows["bad.example.com"]
    assert "not asked: 503" in rows["g.example.com"]
    assert "  -  " in rows["www.d.example.com"]
    main(["check", str(folder)])
    said = capsys.readouterr().out.splitlines()
    (of_clients,) = [line for line in said if "auth-tls-verify-client" in line]
    assert "its hosts answer every client 400 until it is mended" in of_clients
    (of_sources,) = [line for line in said if "allowlist-source-range" in line]
    assert "the routes of this Ingress answer 503" in of_sources


def test_a_port_that_takes_no_connection_is_said_to_be_closed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ["--manifests", str(folder), "--tcp-services-configmap", "default/tcp"]
    trusting = [*source, "--proxy-protocol-from", "10.0.0.0/8"]
    assert main(["explain", "tcp://:9000", *source]) == 0
    assert main(["explain", "tcp://:9001", *trusting]) == 0
    assert "taken from clients" in capsys.readouterr().out
    assert main(["explain", "tcp://:9001", *source]) == 1
    printed = capsys.readouterr().out
    assert "proxy headers  taken from nobody: closed\n" in printed
    assert "connections to port 9001 are closed until --proxy-protocol-from" in printed
    assert main(["explain", "tcp://:9002", *source]) == 1
    assert "unknown: closed" in capsys.readouterr().out
    main(["routes", *source])
    assert "taken from nobody: closed" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["tcp:9000", "udp:53", "http:shop", "", " ", "http://a b/", "http://a<b/"])
def test_what_is_no_url_is_wrong_use_and_says_what_one_is(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(["explain", url, "--manifests", "."]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "https://shop.example.com/cart, or tcp://:9000 for a port" in said.err
    with pytest.raises(UrlError):
        fastingress.RouteTable.from_manifests(Path(__file__).parent / "golden").match(url)


def test_a_running_gateway_says_the_same(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path_factory.mktemp("served")
    shutil.copy(folder / "all.yaml", copy)
    with fastingress.Gateway(copy, bind="127.0.0.1") as gateway:
        for url in ANSWERS:
            from_manifests = facts(capsys, url, "--manifests", str(copy))
            assert facts(capsys, url, "--admin", gateway.admin_url) == from_manifests
