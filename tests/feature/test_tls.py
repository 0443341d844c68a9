"""TLS: certificates by server name, kinds of key, versions, resumption, and what is shown when there is none."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from tests.support.certificates import Authority, Pair, blind, common_name, serial_of
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.manifests import Rule, ingress, secret, service

SHOP, WILD = "shop.example.com", "*.example.org"


def shown(gateway: Served, server_name: str | None) -> bytes:
    """The certificate (DER) that the gateway shows for a server name."""
    plain = socket.create_connection(gateway.https, timeout=20)
    with blind().wrap_socket(plain, server_hostname=server_name) as connection:
        return connection.getpeercert(binary_form=True) or b""


def test_the_server_name_picks_the_certificate(serve: Serve, backends: Backends, authority: Authority) -> None:
    shop, wild, fallback = authority.issue(SHOP), authority.issue(WILD), authority.issue("fallback.example.net")
    gateway = serve(
        service("web", backends("web")),
        shop.secret("shop"),
        wild.secret("wild"),
        fallback.secret("fallback", namespace="system"),
        ingress("shop", Rule("web", host=SHOP), tls={"shop": [SHOP]}),
        ingress("wild", Rule("web", host=WILD), tls={"wild": [WILD]}),
        default_ssl_certificate="system/fallback",
    )
    assert serial_of(shown(gateway, SHOP)) == shop.serial
    assert serial_of(shown(gateway, SHOP.upper())) == shop.serial
    assert serial_of(shown(gateway, "a.example.org")) == wild.serial
    for other in ("a.b.example.org", "example.org", "unknown.example", None):
        assert serial_of(shown(gateway, other)) == fallback.serial


def test_without_a_default_one_is_made_at_start(serve: Serve) -> None:
    gateway = serve()
    assert "fastingress" in common_name(shown(gateway, "unknown.example"))


@pytest.mark.parametrize("key_type", [trustme.KeyType.ECDSA, trustme.KeyType.RSA])
def test_rsa_and_ecdsa_keys_serve(
    serve: Serve, backends: Backends, authority: Authority, key_type: trustme.KeyType
) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(SHOP, key_type=key_type).secret("cert"),
        ingress("web", Rule("web", host=SHOP), tls={"cert": [SHOP]}),
    )
    assert gateway.get_tls(authority.trusting(), host=SHOP).text == "web"


def test_an_ed25519_key_serves(serve: Serve, backends: Backends, ed25519: Pair) -> None:
    gateway = serve(
        service("web", backends("web")),
        ed25519.secret("cert"),
        ingress("web", Rule("web", host=SHOP), tls={"cert": [SHOP]}),
    )
    assert serial_of(shown(gateway, SHOP)) == ed25519.serial


@pytest.mark.parametrize(
    ("at_most", "version"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_both_versions_are_spoken_and_sessions_resumed(
    serve: Serve, backends: Backends, authority: Authority, at_most: ssl.TLSVersion, version: str
) -> None:
    gateway = serve(
        service("web", backends("web")),
        authority.issue(SHOP).secret("cert"),
        ingress("web", Rule("web", host=SHOP), tls={"cert": [SHOP]}),
    )
    context = authority.trusting(at_most=at_most)
    with gateway.connect_tls(context, SHOP) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {SHOP}\r\n\r\n".encode())
        assert client.response().status == 200
        first = client.sock
        assert isinstance(first, ssl.SSLSocket)
        assert first.version() == version
        session = first.session
    plain = socket.create_connection(gateway.https, timeout=20)
    with context.wrap_socket(plain, server_hostname=SHOP, session=session) as again:
        assert again.session_reused


def test_a_version_that_is_not_offered_is_refused(serve: Serve, authority: Authority) -> None:
    gateway = serve(ssl_protocols=("TLSv1.3",))
    with pytest.raises(ssl.SSLError):
        gateway.connect_tls(authority.trusting(at_most=ssl.TLSVersion.TLSv1_2), "shop.example.com")


def test_a_replaced_secret_is_used_by_the_next_handshake(
    serve: Serve, backends: Backends, authority: Authority
) -> None:
    old, new = authority.issue(SHOP), authority.issue(SHOP)
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=SHOP), tls={"cert": [SHOP]}),
        files={"cert": [old.secret("cert")]},
    )
    with gateway.connect_tls(authority.trusting(), SHOP) as open_connection:
        assert serial_of(shown(gateway, SHOP)) == old.serial
        gateway.put("cert", new.secret("cert"))
        gateway.until(lambda: serial_of(shown(gateway, SHOP)) == new.serial)
        open_connection.send(f"GET / HTTP/1.1\r\nHost: {SHOP}\r\n\r\n".encode())
        assert open_connection.response().status == 200


@pytest.mark.parametrize("broken", ["garbage", "wrong pair", "missing", "other names"])
def test_a_broken_secret_is_a_problem_and_the_default_is_shown(
    serve: Serve, backends: Backends, authority: Authority, broken: str
) -> None:
    good, other, fallback = (
        authority.issue(SHOP),
        authority.issue("other.example.com"),
        authority.issue("default.example"),
    )
    secrets = {
        "garbage": [secret("cert", b"no certificate", b"no key")],
        "wrong pair": [secret("cert", good.chain, other.key)],
        "missing": [],
        "other names": [other.secret("cert")],
    }
    gateway = serve(
        service("web", backends("web")),
        fallback.secret("default"),
        ingress("web", Rule("web", host=SHOP), tls={"cert": [SHOP]}),
        *secrets[broken],
        default_ssl_certificate="default/default",
    )
    assert serial_of(shown(gateway, SHOP)) == fallback.serial
    problems = gateway.until(gateway.problems)
    assert any("cert" in str(problem) for problem in problems)
    key_lines = [line for line in other.key.decode().splitlines() if not line.startswith("-----")]
    assert not any(line in str(problems) for line in key_lines)


def test_plain_text_on_the_tls_port_is_not_served(serve: Serve) -> None:
    gateway = serve()
    with socket.create_connection(gateway.https, timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while data := plain.recv(4096):
            received += data
    assert not received.startswith(b"HTTP/1.1 2")
