"""Backends that speak TLS and HTTP/2: nginx, Hypercorn and a server of WebSockets, each a real one."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from tests.support.certificates import Authority, Pair
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.hypercorn import hypercorn
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.support.nginx import nginx as running_nginx
from tests.support.tunnels import OverHttp2

HOST, INNER = "shop.example.com", "inner.example.com"
TLS = """
    ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_client optional;
    ssl_protocols {versions};
"""
SAY = """
    location / { return 200 "$ssl_protocol|$ssl_cipher|$ssl_server_name|$ssl_client_verify|$server_protocol|$scheme"; }
"""


@pytest.fixture
def server(nginx: None, tmp_path: Path, authority: Authority) -> Iterator[Callable[..., str]]:
    """Starts nginx with one server; gives its address, `127.0.0.1:PORT`."""
    with ExitStack() as stack:

        def start(
            listen: str = "ssl", pair: Pair | None = None, more: str = "", versions: str = "TLSv1.2 TLSv1.3"
        ) -> str:
            folder = tmp_path / f"nginx{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            shown = pair or authority.issue(INNER)
            (folder / "chain.pem").write_bytes(shown.chain)
            (folder / "key.pem").write_bytes(shown.key)
            (folder / "ca.pem").write_bytes(authority.pem)
            tls = TLS.format(folder=folder, versions=versions) if "ssl" in listen else ""
            block = f"server {{ listen %PORT% {listen}; {tls} {more} {SAY} }}"
            ((host, port),) = stack.enter_context(running_nginx(folder, block))
            return f"{host}:{port}"

        yield start


def opaque(name: str, **data: bytes) -> Manifest:
    """A Secret with these entries, `_` for `.`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "data": {key.replace("_", "."): b64encode(content).decode() for key, content in data.items()},
    }


def publish(serve: Serve, *endpoints: str, more: Sequence[Manifest] = (), **annotations: str) -> Served:
    """A gateway that speaks to these endpoints as the annotations say, `_` for `-`."""
    given = {key.replace("_", "-"): value for key, value in annotations.items()}
    return serve(service("web", *endpoints), *more, ingress("web", Rule("web", host=HOST), annotations=given))


def verified(serve: Serve, *endpoints: str, trust: bytes | None = None, name: str = INNER) -> Served:
    """A gateway that verifies these endpoints."""
    more = [opaque("trust", ca_crt=trust)] if trust else []
    return publish(
        serve,
        *endpoints,
        more=more,
        backend_protocol="HTTPS",
        proxy_ssl_secret="default/trust",
        proxy_ssl_verify="on",
        proxy_ssl_name=name,
    )


def said(gateway: Served) -> dict[str, str]:
    """What the server says of the connection that a request came on."""
    answer = gateway.get("/", host=HOST)
    assert answer.status == 200, answer.text
    return dict(zip(("version", "cipher", "name", "client", "protocol", "scheme"), answer.text.split("|"), strict=True))


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_https_is_spoken_to_whoever_is_there_unless_more_is_asked(serve: Serve, server: Callable[..., str]) -> None:
    gateway = publish(serve, server(), backend_protocol="HTTPS")
    told = said(gateway)
    assert (told["version"], told["name"], told["client"]) == ("TLSv1.3", "", "NONE")
    assert (told["protocol"], told["scheme"]) == ("HTTP/1.1", "https")


def test_the_app_protocol_of_the_service_counts_and_the_annotation_wins(
    serve: Serve, server: Callable[..., str]
) -> None:
    web = service("web", server())
    web["spec"]["ports"][0]["appProtocol"] = "https"
    files = {
        "web": [web, ingress("web", Rule("web", host=HOST))],
        "other": [
            ingress("other", Rule("web", host="other.example.com"), annotations={"backend-protocol": "HTTP"}),
        ],
    }
    gateway = serve(files=files)
    assert said(gateway)["scheme"] == "https"
    assert gateway.get("/", host="other.example.com").status == 400, "plain HTTP was sent to an HTTPS port"


def test_a_certificate_is_verified_by_name_and_authority(
    serve: Serve, server: Callable[..., str], authority: Authority
) -> None:
    gateway = verified(serve, server(), server(pair=Authority().issue(INNER)), trust=authority.pem)
    for _ in range(6):
        assert said(gateway)["scheme"] == "https", "the one that does not verify is passed over"


def test_what_does_not_verify_is_an_error_with_a_reason(
    serve: Serve, server: Callable[..., str], authority: Authority
) -> None:
    gateway = verified(serve, server(), trust=authority.pem, name="other.example.com")
    for _ in range(3):
        answer = gateway.get("/", host=HOST, headers=[("Accept", "application/json")])
        assert (answer.status, '"reason":"upstream_unverified"' in answer.text) == (502, True)


def test_without_the_authority_nothing_passes_until_it_is_there(
    serve: Serve, server: Callable[..., str], authority: Authority
) -> None:
    gateway = verified(serve, server())
    answer = gateway.get("/", host=HOST)
    assert (answer.status, "upstream_tls_unusable" in answer.text) == (502, True)
    assert gateway.problem("MissingSecret")["severity"] == "error"
    gateway.put("trust", opaque("trust", ca_crt=authority.pem))
    gateway.until(lambda: gateway.get("/", host=HOST).status == 200)
    gateway.put("trust", opaque("trust", ca_crt=Authority().pem))
    gateway.until(lambda: gateway.get("/", host=HOST).status == 502)


def test_the_name_that_is_sent_is_the_host_of_the_request_or_the_one_given(
    serve: Serve, server: Callable[..., str]
) -> None:
    backend = server()
    sent = {"backend-protocol": "HTTPS", "proxy-ssl-server-name": "on"}
    gateway = serve(
        service("web", backend),
        ingress("host", Rule("web", host=HOST), annotations=sent),
        ingress(
            "vhost", Rule("web", host="vhost.example.com"), annotations={**sent, "upstream-vhost": "v.example.org"}
        ),
        ingress("fixed", Rule("web", host="fixed.example.com"), annotations={**sent, "proxy-ssl-name": INNER}),
    )
    for host, name in ((HOST, HOST), ("vhost.example.com", "v.example.org"), ("fixed.example.com", INNER)):
        assert gateway.get("/", host=host).text.split("|")[2] == name


def test_versions_and_cipher_suites_are_those_asked_for(serve: Serve, server: Callable[..., str]) -> None:
    suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
    gateway = publish(serve, server(), backend_protocol="HTTPS", proxy_ssl_protocols="TLSv1.2", proxy_ssl_ciphers=suite)
    told = said(gateway)
    assert (told["version"], told["cipher"]) == ("TLSv1.2", suite)


def test_a_client_certificate_is_shown_and_ways_do_not_share_connections(
    serve: Serve, server: Callable[..., str], authority: Authority
) -> None:
    web = service("web", server())
    https = {"backend-protocol": "HTTPS"}
    shown = {**https, "proxy-ssl-secret": "default/ours"}
    files = {
        "with": [web, ingress("with", Rule("web", host=HOST), annotations=shown)],
        "without": [ingress("without", Rule("web", host="other.example.com"), annotations=https)],
        "ours": [authority.issue("gateway.example.com").secret("ours")],
    }
    gateway = serve(files=files)
    for _ in range(5):
        assert gateway.get("/", host=HOST).text.split("|")[3] == "SUCCESS"
        assert gateway.get("/", host="other.example.com").text.split("|")[3] == "NONE"
    gateway.put("ours", Authority().issue("gateway.example.com").secret("ours"))
    gateway.until(lambda: gateway.get("/", host=HOST).status == 400)
    assert gateway.get("/", host="other.example.com").status == 200


def test_an_rsa_server_with_an_old_version_is_spoken_to(
    serve: Serve, server: Callable[..., str], authority: Authority
) -> None:
    pair = authority.issue(INNER, key_type=trustme.KeyType.RSA)
    gateway = publish(serve, server(pair=pair, versions="TLSv1.2"), backend_protocol="HTTPS")
    assert said(gateway)["version"] == "TLSv1.2"


def test_auto_speaks_as_the_client_does(serve: Serve, server: Callable[..., str], authority: Authority) -> None:
    gateway = serve(
        service("web", server()),
        authority.issue(HOST).secret("cert"),
        ingress(
            "web",
            Rule("web", host=HOST),
            tls={"cert": [HOST]},
            annotations={"backend-protocol": "AUTO_HTTP", "ssl-redirect": "false"},
        ),
    )
    assert gateway.get("/", host=HOST).status == 400, "plain HTTP was sent to an HTTPS port"
    answer = gateway.get_tls(authority.trusting(), host=HOST)
    assert answer.text.split("|")[5] == "https"


def test_a_server_without_tls_is_an_error_with_a_reason(serve: Serve, backends: Backends) -> None:
    gateway = publish(serve, backends("plain").endpoint, backend_protocol="HTTPS", proxy_connect_timeout="2")
    answer = gateway.get("/", host=HOST)
    assert answer.status in (502, 504)


# --- HTTP/2 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("listen", "protocol"), [("http2", "H2C"), ("ssl http2", "GRPCS")])
def test_http2_is_spoken_to_nginx(serve: Serve, server: Callable[..., str], listen: str, protocol: str) -> None:
    gateway = publish(serve, server(listen), backend_protocol=protocol)
    told = said(gateway)
    assert told["protocol"] == "HTTP/2.0"
    assert told["scheme"] == ("https" if "ssl" in listen else "http")


def test_a_server_that_does_not_choose_http2_is_an_error_with_a_reason(
    serve: Serve, server: Callable[..., str]
) -> None:
    gateway = publish(serve, server("ssl"), backend_protocol="GRPCS")
    answer = gateway.get("/", host=HOST)
    assert (answer.status, "upstream_not_http2" in answer.text) == (502, True)


def test_a_server_that_closes_connections_after_a_few_requests_loses_none(
    serve: Serve, server: Callable[..., str]
) -> None:
    gateway = publish(serve, server("http2", more="keepalive_requests 7;"), backend_protocol="H2C")

    def ask(number: int) -> int:
        return gateway.get(f"/{number}", host=HOST, method="POST", body=b"x").status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(200)))
    assert statuses == [200] * 200


@pytest.mark.parametrize("secure", [False, True])
def test_http2_is_spoken_to_a_python_server(serve: Serve, authority: Authority, tmp_path: Path, secure: bool) -> None:
    body = bytes(range(256)) * 2_000
    with hypercorn(tmp_path / "hypercorn", authority.issue(INNER) if secure else None) as address:
        gateway = publish(serve, address, backend_protocol="GRPCS" if secure else "H2C")
        assert gateway.get("/there", host=HOST).text == "HTTP/2 GET /there"
        echoed = gateway.get("/echo", host=HOST, method="POST", body=body)
        assert echoed.header("x-told") == "HTTP/2 POST /echo"
        assert echoed.body == body


# --- WebSockets ------------------------------------------------------------------------------------------------------


@contextmanager
def echo_server(pair: Pair, folder: Path) -> Iterator[str]:
    """A server of WebSockets over TLS; gives its address."""
    (folder / "ws-chain.pem").write_bytes(pair.chain)
    (folder / "ws-key.pem").write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ws-chain.pem", folder / "ws-key.pem")

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve_websockets(echo, "127.0.0.1", 0, ssl=context) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{running.socket.getsockname()[1]}"
        finally:
            running.shutdown()
            thread.join(20)


def test_a_websocket_goes_on_over_tls(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    with echo_server(authority.issue(INNER), tmp_path) as address:
        web = service("chat", address)
        web["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/wss"
        gateway = serve(web, ingress("chat", Rule("chat", host=HOST)))
        url = f"ws://{HOST}:{gateway.http[1]}/"
        plain = socket.create_connection(gateway.http, timeout=20)
        with connect(url, sock=plain, compression=None) as client:
            for message in ("one", "two" * 50_000, b"\x00three"):
                client.send(message)
                assert client.recv(20) == message


def test_a_websocket_that_is_a_stream_goes_on_over_tls(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    text, fin_text, masked = b"one" * 20, 0x81, 0x80
    with echo_server(authority.issue(INNER), tmp_path) as address:
        web = service("chat", address)
        web["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/wss"
        gateway = serve(web, ingress("chat", Rule("chat")), h2c=True)
        with OverHttp2(gateway.http) as tunnel:
            for _ in range(3):
                tunnel.send(bytes([fin_text, masked | len(text), 0, 0, 0, 0]) + text)  # a mask of zeros changes nothing
                assert tunnel.exactly(2 + len(text)) == bytes([fin_text, len(text)]) + text
