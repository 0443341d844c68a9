"""Other people's clients, through the gateway, to other people's servers: HTTP/1.1 and HTTP/2, plain and with TLS."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from tests.support.certificates import Authority
from tests.support.fixtures import Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.nginx import nginx as running_nginx
from tests.support.process import Process
from tests.support.programs import PROGRAMS
from tests.support.python_server import python_server

NGINX_HOST, PYTHON_HOST = "nginx.example", "python.example"
PAGE = b"0123456789abcdef" * 65536
SERVER = """
server {{
    listen %PORT%;
    root {folder};
    absolute_redirect off;
    location / {{ return 200 "nginx $request_method $request_uri\\n"; }}
    location = /page {{ }}
    location = /away {{ return 302 /page; }}
    location = /gone {{ return 404 "not here\\n"; }}
    location = /empty {{ return 204; }}
}}
"""


@dataclass(frozen=True)
class Site:
    """A gateway in front of both servers, each with a host of its own."""

    gateway: Process
    ca: Path
    trust: ssl.SSLContext

    def url(self, scheme: str, host: str, path: str) -> str:
        """Of a page."""
        return f"{scheme}://{host}:{self.port(scheme)}{path}"

    def port(self, scheme: str) -> int:
        """For a scheme."""
        return (self.gateway.https if scheme in ("https", "wss") else self.gateway.http)[1]

    def curl(self, *words: str, scheme: str, host: str = NGINX_HOST, path: str = "/") -> str:
        """What it writes to standard output; a failure is one of the test."""
        place = f"{host}:{self.port(scheme)}:127.0.0.1"
        common = ["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--cacert", str(self.ca)]
        done = PROGRAMS["curl"].run(*common, "--resolve", place, *words, self.url(scheme, host, path))
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def httpx(self, *, http2: bool) -> httpx.Client:
        """A client that finds our hosts; HTTP/2 is then the only thing that it speaks over plain connections."""
        return httpx.Client(verify=self.trust, http2=http2, http1=not http2, trust_env=False, timeout=20)


@pytest.fixture
def site(nginx: None, spawn: Spawn, authority: Authority, tmp_path: Path) -> Iterator[Site]:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "page").write_bytes(PAGE)
    pair = authority.issue(NGINX_HOST, PYTHON_HOST, "127.0.0.1", "localhost")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    with ExitStack() as stack:
        (page_server,) = stack.enter_context(running_nginx(tmp_path / "nginx", SERVER.format(folder=pages)))
        echo_server = stack.enter_context(python_server())
        sockets = stack.enter_context(websocket_server())
        gateway = spawn(
            pair.secret("pair"),
            service("nginx", _endpoint(page_server)),
            service("python", _endpoint(echo_server)),
            service("sockets", sockets),
            ingress(
                "web",
                Rule("nginx", host=NGINX_HOST),
                Rule("python", host=PYTHON_HOST),
                Rule("sockets", "/ws", PYTHON_HOST),
                tls={"pair": [NGINX_HOST, PYTHON_HOST]},
                annotations={"ssl-redirect": "false", "proxy-body-size": "0"},
            ),
            default_ssl_certificate="default/pair",
            h2c=True,
        )
        yield Site(gateway, ca, trust)


def _endpoint(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


class websocket_server:  # noqa: N801 (a context manager, used as a function is)
    """An echo, on a free port."""

    def __enter__(self) -> str:
        self._server = serve_websockets(_echo, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return f"127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)


def _echo(talk: ServerConnection) -> None:
    for message in talk:
        talk.send(message)


CURL = {
    "HTTP/1.0": ("http", ["--http1.0"], "1.1"),
    "HTTP/1.1": ("http", ["--http1.1"], "1.1"),
    "HTTP/1.1 over TLS": ("https", ["--http1.1"], "1.1"),
    "HTTP/2 over TLS": ("https", ["--http2"], "2"),
    "HTTP/2 by prior knowledge": ("http", ["--http2-prior-knowledge"], "2"),
    "HTTP/2 that was not agreed": ("http", ["--http2"], "1.1"),
}
"""Scheme, options, and the version of the answer. An `Upgrade: h2c` is not taken up (RFC 9113, 3.1)."""


@pytest.mark.parametrize("way", CURL)
@pytest.mark.parametrize("host", [NGINX_HOST, PYTHON_HOST])
def test_curl_gets_an_answer(curl: None, site: Site, way: str, host: str) -> None:
    scheme, words, version = CURL[way]
    said = site.curl(*words, "--write-out", "%{http_version} %{http_code}", scheme=scheme, host=host, path="/x?y=z")
    assert said == f"{host.partition('.')[0]} GET /x?y=z\n{version} 200"


@pytest.mark.parametrize("way", CURL)
def test_curl_downloads_a_page(curl: None, site: Site, way: str, tmp_path: Path) -> None:
    scheme, words, _ = CURL[way]
    site.curl(*words, "--output", str(tmp_path / "page"), scheme=scheme, path="/page")
    assert _sum((tmp_path / "page").read_bytes()) == _sum(PAGE)


@pytest.mark.parametrize("way", CURL)
def test_curl_uploads_and_reads_it_back(curl: None, site: Site, way: str, tmp_path: Path) -> None:
    scheme, words, _ = CURL[way]
    (tmp_path / "page").write_bytes(PAGE)
    upload = ["--data-binary", f"@{tmp_path / 'page'}", "--output", str(tmp_path / "echo")]
    site.curl(*words, *upload, scheme=scheme, host=PYTHON_HOST, path="/echo")
    assert _sum((tmp_path / "echo").read_bytes()) == _sum(PAGE)


@pytest.mark.parametrize("way", [way for way in CURL if way != "HTTP/1.0"])
def test_curl_uploads_what_has_no_length(curl: None, site: Site, way: str, tmp_path: Path) -> None:
    scheme, words, version = CURL[way]
    (tmp_path / "page").write_bytes(PAGE)
    chunked = ["--header", "Transfer-Encoding: chunked"] if version == "1.1" else ["--header", "Content-Length:"]
    upload = ["--upload-file", str(tmp_path / "page"), *chunked, "--output", str(tmp_path / "echo")]
    site.curl(*words, *upload, scheme=scheme, host=PYTHON_HOST, path="/echo")
    assert _sum((tmp_path / "echo").read_bytes()) == _sum(PAGE)


@pytest.mark.parametrize("way", CURL)
def test_curl_sees_heads_redirects_and_errors(curl: None, site: Site, way: str) -> None:
    scheme, words, _ = CURL[way]
    told = ["--write-out", "%{http_code} %{size_download}", "--output", "/dev/null"]
    assert site.curl(*words, *told, "--head", scheme=scheme, path="/page").endswith("200 0")
    assert site.curl(*words, *told, scheme=scheme, path="/away").startswith("302 ")
    assert site.curl(*words, *told, scheme=scheme, path="/empty") == "204 0"
    assert site.curl(*words, *told, "--range", "16-31", scheme=scheme, path="/page") == "206 16"


def test_curl_asks_many_times_on_one_connection(curl: None, site: Site) -> None:
    scheme, words, _ = CURL[
        "HTTP/2 over TLS"
    ]  # with prior knowledge, curl 7.88 fails at its second request, whoever serves
    many = [
        "--parallel",
        "--parallel-max",
        "50",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} %{num_connects}\n",
    ]
    said = site.curl(*words, *many, scheme=scheme, path="/page?[1-100]").split("\n")[:-1]
    assert [line.split()[0] for line in said] == ["200"] * 100
    assert sum(int(line.split()[1]) for line in said) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nghttp_gets_many_pages_on_one_connection(nghttp: None, site: Site, scheme: str) -> None:
    pages = [site.url(scheme, "127.0.0.1", f"/page?{number}") for number in range(20)]
    host = ["--header", f":authority: {NGINX_HOST}"]
    done = PROGRAMS["nghttp"].run("--null-out", "--stat", "--no-dep", *host, *pages)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r" 200 +1M ", done.stdout)) == 20, done.stdout


def test_nghttp_upgrades_nothing(nghttp: None, site: Site) -> None:
    host = ["--header", f":authority: {NGINX_HOST}"]
    done = PROGRAMS["nghttp"].run("--upgrade", "--null-out", *host, site.url("http", "127.0.0.1", "/"))
    assert "HTTP Upgrade failed" in done.stdout + done.stderr


def test_nghttp_sends_a_body_with_trailers(nghttp: None, site: Site, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"hello")
    words = ["--data", str(tmp_path / "page"), "--trailer", "x-sum: 7", "--header", f":authority: {PYTHON_HOST}"]
    done = PROGRAMS["nghttp"].run(*words, site.url("https", "127.0.0.1", "/echo"))
    assert (done.returncode, done.stdout.strip()) == (0, "hello"), done.stderr


@pytest.mark.parametrize("words", [["--h1"], []], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", [NGINX_HOST, PYTHON_HOST])
def test_h2load_has_no_error(h2load: None, site: Site, scheme: str, words: list[str], host: str) -> None:
    named = ["--header", f":authority: {host}"]
    done = PROGRAMS["h2load"].run(*words, *named, "-n2000", "-c8", "-m16", site.url(scheme, "127.0.0.1", "/x"))
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout
    assert "status codes: 2000 2xx" in done.stdout, done.stdout


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", [NGINX_HOST, PYTHON_HOST])
def test_httpx_asks_and_is_answered(site: Site, scheme: str, http2: bool, host: str) -> None:
    with site.httpx(http2=http2) as client:
        url = f"{scheme}://127.0.0.1:{site.port(scheme)}"
        headers = {"Host": host}
        sni = {"sni_hostname": host}
        for number in range(20):
            answer = client.get(f"{url}/x?{number}", headers=headers, extensions=sni)
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
            assert answer.text == f"{host.partition('.')[0]} GET /x?{number}\n"
        if host == PYTHON_HOST:
            assert client.post(f"{url}/echo", headers=headers, extensions=sni, content=PAGE).content == PAGE
            streamed = client.post(f"{url}/echo", headers=headers, extensions=sni, content=iter([b"a", b"b"] * 100))
            assert streamed.content == b"ab" * 100
        else:
            assert _sum(client.get(f"{url}/page", headers=headers, extensions=sni).content) == _sum(PAGE)
            assert client.head(f"{url}/page", headers=headers, extensions=sni).content == b""
            assert client.get(f"{url}/gone", headers=headers, extensions=sni).status_code == 404


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websockets_talk(site: Site, scheme: str) -> None:
    context = site.trust if scheme == "wss" else None
    made = socket.create_connection(("127.0.0.1", site.port(scheme)), 20)
    with connect(f"{scheme}://{PYTHON_HOST}/ws", ssl=context, sock=made, proxy=None) as talk:
        for message in ("hello", b"bytes", "x" * 100_000):
            talk.send(message)
            assert talk.recv(timeout=20) == message
        assert talk.ping().wait(20)


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("http/1.1,h2", "h2"), ("spdy/1,h2", "h2")],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_agrees_on_a_protocol(openssl: None, site: Site, version: str, offered: str, agreed: str) -> None:
    said = _s_client(site, version, "-alpn", offered, "-servername", NGINX_HOST)
    assert f"ALPN protocol: {agreed}" in said
    assert "Verification: OK" in said


def test_openssl_that_offers_nothing_speaks_http1(openssl: None, site: Site) -> None:
    said = _s_client(site, "-servername", NGINX_HOST, "-quiet", "-ign_eof", stdin=_http1_request())
    assert "HTTP/1.1 200 OK" in said
    assert "nginx GET /x" in said


def test_openssl_that_offers_nothing_known_is_turned_away(openssl: None, site: Site) -> None:
    said = _s_client(site, "-alpn", "spdy/1", "-servername", NGINX_HOST)
    assert "no application protocol" in said


def _s_client(site: Site, *words: str, stdin: str = "") -> str:
    place = f"127.0.0.1:{site.port('https')}"
    done = PROGRAMS["openssl"].run("s_client", "-connect", place, "-CAfile", str(site.ca), *words, stdin=stdin)
    return done.stdout + done.stderr


def _http1_request() -> str:
    return f"GET /x HTTP/1.1\r\nHost: {NGINX_HOST}\r\nConnection: close\r\n\r\n"


def _sum(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()
