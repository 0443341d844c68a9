"""PROXY headers in front of the HTTP and HTTPS ports: whom they make the client, and who is believed."""

from __future__ import annotations

import socket
import struct

import pytest

from fastingress.errors import ConfigError
from tests.support.certificates import Authority
from tests.support.client import Address, RawClient
from tests.support.fixtures import Backends, Serve
from tests.support.http1 import Reader, read_response
from tests.support.manifests import Rule, ingress, service

HOST = "shop.example.com"
EVERYONE = ("127.0.0.0/8",)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LINE = b"PROXY TCP4 203.0.113.7 198.51.100.2 40000 8000\r\n"
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def binary(command: int, family: int, rest: bytes) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


def ends(source: str, destination: str, from_port: int = 40000, to_port: int = 8000) -> bytes:
    """The addresses in a header of version 2."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    hosts = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    return hosts + struct.pack("!HH", from_port, to_port)


V4 = ends("203.0.113.7", "198.51.100.2")
V6 = ends("2001:db8::7", "2001:db8::2")
MAPPED = ends("::ffff:203.0.113.7", "::ffff:198.51.100.2")


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (LINE, "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::2 1 2\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN anything it likes\r\n", "127.0.0.1"),
        (binary(0x21, 0x11, V4), "203.0.113.7"),
        (binary(0x21, 0x21, V6), "2001:db8::7"),
        (binary(0x21, 0x21, MAPPED), "203.0.113.7"),
        (binary(0x21, 0x11, V4 + b"\x04\x00\x03abc"), "203.0.113.7"),
        (binary(0x20, 0x11, V4), "127.0.0.1"),
        (binary(0x21, 0x00, b""), "127.0.0.1"),
    ],
    ids=[
        "v1",
        "v1-v6",
        "v1-unknown",
        "v1-unknown-more",
        "v2",
        "v2-v6",
        "v2-mapped",
        "v2-fields",
        "v2-local",
        "v2-unspec",
    ],
)
def test_the_client_is_who_the_header_says(serve: Serve, backends: Backends, header: bytes, client: str) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend), ingress("web", Rule("web")), use_proxy_protocol=True, proxy_protocol_from=EVERYONE
    )
    with gateway.connect() as connection:
        assert connection.send(header + REQUEST).response().status == 200
        assert backend.last.all("x-forwarded-for") == [client]
        assert backend.last.all("x-real-ip") == [client]
        # It holds for every request of the connection, and no byte of the stream is lost to the header.
        assert connection.send(REQUEST).response().status == 200
        assert backend.last.all("x-forwarded-for") == [client]


def test_a_header_may_come_in_any_pieces(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend), ingress("web", Rule("web")), use_proxy_protocol=True, proxy_protocol_from=EVERYONE
    )
    for header in (LINE, binary(0x21, 0x11, V4)):
        with gateway.connect() as connection:
            connection.drip(header)
            assert connection.send(REQUEST).response().status == 200
        assert backend.last.all("x-forwarded-for") == ["203.0.113.7"]


def test_source_ranges_and_ports_follow_the_header(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress("web", Rule("web"), annotations={"allowlist-source-range": "203.0.113.0/24"}),
        use_proxy_protocol=True,
        proxy_protocol_from=EVERYONE,
    )
    with gateway.connect() as connection:
        assert connection.send(LINE + REQUEST).response().status == 200
    assert backend.last.all("x-forwarded-port") == ["8000"]
    assert backend.last.all("x-forwarded-proto") == ["http"]
    with gateway.connect() as connection:
        assert connection.send(b"PROXY TCP4 192.0.2.9 198.51.100.2 1 80\r\n" + REQUEST).response().status == 403


def test_a_client_of_port_443_came_by_tls(serve: Serve, backends: Backends, authority: Authority) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        use_proxy_protocol=True,
        proxy_protocol_from=EVERYONE,
    )
    with gateway.connect() as connection:
        answer = connection.send(b"PROXY TCP4 203.0.113.7 198.51.100.2 1 443\r\n" + REQUEST).response()
    assert answer.status == 200, "it is not redirected to where it comes from"
    assert backend.last.all("x-forwarded-proto") == ["https"]


def test_the_header_comes_before_tls(serve: Serve, backends: Backends, authority: Authority) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        use_proxy_protocol=True,
        proxy_protocol_from=EVERYONE,
    )
    with socket.create_connection(gateway.https, timeout=20) as plain:
        plain.sendall(binary(0x21, 0x11, V4))
        with authority.trusting().wrap_socket(plain, server_hostname=HOST) as connection:
            connection.sendall(REQUEST)
            assert read_response(Reader(connection)).status == 200
    assert backend.last.all("x-forwarded-for") == ["203.0.113.7"]


def is_closed(address: Address, data: bytes) -> bool:
    """Whether these bytes are answered with nothing but an end."""
    with RawClient(address) as connection:
        connection.try_to_send(data)
        try:
            return connection.sock.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP4 203.0.113.7 198.51.100.2 40000 99999\r\n",
        binary(0x31, 0x11, V4),
        binary(0x21, 0x11, V4[:8]),
        binary(0x21, 0x11, b"\x00" * 5000),
    ],
    ids=["none", "v1-short", "v1-port", "v2-version", "v2-short", "v2-long"],
)
def test_a_connection_without_a_sound_header_is_closed(serve: Serve, backends: Backends, begin: bytes) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend), ingress("web", Rule("web")), use_proxy_protocol=True, proxy_protocol_from=EVERYONE
    )
    assert is_closed(gateway.http, begin + REQUEST)
    assert gateway.metrics().sum("fastingress_refused_total", reason="proxy_protocol_malformed") == 1
    assert backend.requests == []


def test_a_header_that_does_not_come_in_time_ends_the_connection(serve: Serve) -> None:
    gateway = serve(use_proxy_protocol=True, proxy_protocol_from=EVERYONE, head_timeout="100ms")
    assert is_closed(gateway.http, b"PROXY TCP4 203.")
    assert gateway.metrics().sum("fastingress_refused_total", reason="proxy_protocol_timeout") == 1


def test_strangers_are_refused_whatever_they_send(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(
        service("web", backend),
        ingress("web", Rule("web")),
        use_proxy_protocol=True,
        proxy_protocol_from="192.0.2.0/24",
    )
    assert is_closed(gateway.http, LINE + REQUEST)
    assert is_closed(gateway.http, REQUEST)
    assert gateway.metrics().sum("fastingress_refused_total", reason="proxy_protocol_untrusted") == 2
    assert backend.requests == []


def test_without_the_flag_a_header_is_a_bad_request(serve: Serve) -> None:
    gateway = serve(proxy_protocol_from=EVERYONE)
    with gateway.connect() as connection:
        assert connection.send(LINE + REQUEST).response().status == 400


def test_nobody_is_believed_unless_said(serve: Serve) -> None:
    with pytest.raises(ConfigError, match="--proxy-protocol-from"):
        serve(use_proxy_protocol=True)
