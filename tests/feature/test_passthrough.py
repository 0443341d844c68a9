"""`ssl-passthrough`: TLS connections that go to their backend unopened, by their server name."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.support import hello
from tests.support.certificates import Authority, blind, serial_of
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.support.tcp import Handler, Peer, TcpServer, echo, read_all, read_line, say_name

HOST, OTHER = "pass.example.com", "shop.example.com"
PASSING = {"ssl-passthrough": "true"}


@pytest.fixture
def server() -> Iterator[TcpServer]:
    with TcpServer() as server:
        yield server


def passing(*servers: TcpServer, host: str = HOST, created: str | None = None) -> list[Manifest]:
    """An Ingress whose TLS goes to these servers."""
    return [
        service("raw", *(server.endpoint for server in servers), port=443),
        ingress("raw", Rule("raw", host=host, port=443), annotations=PASSING, created=created),
    ]


@contextlib.contextmanager
def connected(gateway: Served) -> Iterator[socket.socket]:
    """A connection to the TLS port."""
    with socket.create_connection(gateway.https, timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def shown(gateway: Served, server_name: str | None) -> int:
    """The serial number of the certificate that a client is shown."""
    with connected(gateway) as plain, blind().wrap_socket(plain, server_hostname=server_name) as connection:
        return serial_of(connection.getpeercert(binary_form=True) or b"")


def terminating(context: ssl.SSLContext) -> Handler:
    """A server that speaks TLS itself."""

    def handle(peer: Peer) -> None:
        with context.wrap_socket(peer.sock, server_side=True) as connection:
            connection.sendall(b"unopened\n")
            while data := connection.recv(65536):
                connection.sendall(data)

    return handle


def test_the_backend_shakes_hands_itself_and_other_hosts_are_terminated(
    serve: Serve, backends: Backends, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs, ours = authority.issue(HOST), authority.issue(OTHER)
    path = tmp_path_factory.mktemp("pass") / "pair.pem"
    path.write_bytes(theirs.key + theirs.chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with TcpServer(terminating(context)) as server:
        gateway = serve(
            *passing(server),
            service("web", backends("web")),
            ours.secret("ours"),
            ingress("web", Rule("web", host=OTHER), tls={"ours": [OTHER]}),
            enable_ssl_passthrough=True,
        )
        for name in (HOST, HOST.upper()):
            with (
                connected(gateway) as plain,
                authority.trusting().wrap_socket(plain, server_hostname=name) as connection,
            ):
                assert read_line(connection) == b"unopened"
                connection.sendall(b"x" * 100_000)
                got = b""
                while len(got) < 100_000:
                    got += connection.recv(65536)
                assert serial_of(connection.getpeercert(binary_form=True) or b"") == theirs.serial
        assert shown(gateway, OTHER) == ours.serial
        assert shown(gateway, None) not in (ours.serial, theirs.serial)
        assert gateway.get_tls(authority.trusting(), host=OTHER).status == 200


@pytest.mark.parametrize("size", [16384, 100, 3], ids=["one-record", "records", "tiny-records"])
@pytest.mark.parametrize("drip", [False, True], ids=["one-packet", "packets"])
def test_a_hello_in_any_pieces_arrives_byte_for_byte(serve: Serve, server: TcpServer, size: int, drip: bool) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True)
    data = hello.records(hello.message((0x2A2A, b""), hello.server_name(HOST)), size)
    with connected(gateway) as sock:
        step = 29 if drip else len(data)
        for at in range(0, len(data), step):
            sock.sendall(data[at : at + step])
        sock.sendall(b"and more")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == data + b"and more"


def test_encrypted_hellos_go_by_their_outer_name(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True)
    for extensions in ((hello.GREASE_ECH, hello.server_name(HOST)), (hello.server_name(HOST), hello.GREASE_ECH)):
        data = hello.records(hello.message(*extensions))
        with connected(gateway) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == data


ALERT = b"\x15\x03"


@pytest.mark.parametrize(
    "data",
    [
        hello.records(hello.message()),
        hello.records(hello.message(hello.GREASE_ECH)),
        hello.records(hello.message(hello.server_name("unknown.example"))),
        hello.records(hello.message(hello.server_name(HOST), hello.server_name(HOST))),
        hello.records(hello.message((21, b"\x00" * 20_000), hello.server_name(HOST))),
        b"GET / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
    ],
    ids=["no-name", "ech-without-name", "other-name", "two-names", "too-long", "no-tls", "no-hello"],
)
def test_everything_else_is_left_to_the_gateways_own_tls(serve: Serve, server: TcpServer, data: bytes) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True)
    with connected(gateway) as sock:
        sock.sendall(data)
        # None of these can be shaken hands with: what answers is TLS itself.
        assert sock.recv(2) == ALERT
    assert server.peers == []
    gateway.until(lambda: gateway.metrics().sum("fastingress_tls_handshakes_total", result="failed") == 1)


def test_a_hello_that_ends_or_does_not_come_in_time_ends_the_connection(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True, handshake_timeout="200ms")
    part = hello.records(hello.message(hello.server_name(HOST)))[:40]
    with connected(gateway) as sock:
        sock.sendall(part)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
    gateway.until(lambda: gateway.metrics().sum("fastingress_tls_handshakes_total", result="timeout") == 1)
    with connected(gateway) as sock:
        sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            sock.recv(100)
    gateway.until(lambda: gateway.metrics().sum("fastingress_tls_handshakes_total", result="failed") == 1)
    assert server.peers == []


HELLO = hello.records(hello.message(hello.server_name(HOST)))


def test_either_side_may_go_on_after_the_other_has_sent_its_last(serve: Serve) -> None:
    def count(peer: Peer) -> None:
        peer.send(f"{len(peer.rest())}\n".encode())

    with TcpServer(count) as server:
        gateway = serve(*passing(server), enable_ssl_passthrough=True)
        with connected(gateway) as sock:
            sock.sendall(HELLO + b"y" * 500_000)
            sock.shutdown(socket.SHUT_WR)
            assert read_line(sock) == str(len(HELLO) + 500_000).encode()
            assert sock.recv(1) == b""


def test_endpoints_take_turns_and_one_that_is_gone_is_passed_over(serve: Serve) -> None:
    with TcpServer(say_name, name="a") as a, TcpServer(say_name, name="b") as b, TcpServer(say_name, name="c") as c:
        gateway = serve(*passing(a, b, c), enable_ssl_passthrough=True)

        def name() -> bytes:
            with connected(gateway) as sock:
                sock.sendall(HELLO)
                return read_line(sock)

        assert {name() for _ in range(3)} == {b"a", b"b", b"c"}
        b.refuse()
        assert {name() for _ in range(6)} == {b"a", b"c"}


def test_without_endpoints_the_connection_ends_and_that_is_counted(serve: Serve) -> None:
    gateway = serve(*passing(), enable_ssl_passthrough=True)
    with connected(gateway) as sock:
        sock.sendall(HELLO)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    gateway.until(lambda: gateway.metrics().sum("fastingress_stream_troubles_total", reason="no_endpoints") == 1)


def test_a_stream_that_is_silent_for_too_long_ends(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True, stream_timeout="300ms")
    with connected(gateway) as sock:
        sock.sendall(HELLO)
        for _ in range(4):
            time.sleep(0.1)
            sock.sendall(b"z")
        got = b""
        with contextlib.suppress(ConnectionResetError):
            got = read_all(sock)
        assert got == HELLO + b"zzzz"
    gateway.until(lambda: gateway.metrics().sum("fastingress_stream_troubles_total", reason="idle_timeout") == 1)


def test_streams_are_counted_by_port(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True)
    port = str(gateway.https[1])
    with connected(gateway) as sock:
        sock.sendall(HELLO)
        sock.recv(1)
        assert gateway.metrics().sum("fastingress_streams_open", protocol="tls", port=port) == 1
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    gateway.until(lambda: gateway.metrics().sum("fastingress_streams_open", protocol="tls", port=port) == 0)
    metrics = gateway.metrics()
    assert metrics.sum("fastingress_streams_total", protocol="tls", port=port) == 1
    assert metrics.sum("fastingress_stream_bytes_in_total", protocol="tls") == len(HELLO)
    assert metrics.sum("fastingress_stream_bytes_out_total", protocol="tls") == len(HELLO)
    assert metrics.sum("fastingress_tls_handshakes_total") == 0, "nothing was terminated"


def test_open_streams_do_not_notice_changes(serve: Serve, server: TcpServer) -> None:
    with TcpServer(say_name, name="new") as new:
        gateway = serve(enable_ssl_passthrough=True)
        gateway.put("raw", *passing(server))
        gateway.until(lambda: gateway.routes() != [])
        with connected(gateway) as sock:
            sock.sendall(HELLO)
            assert sock.recv(len(HELLO), socket.MSG_WAITALL) == HELLO
            gateway.put("raw", *passing(new))

            def is_new() -> bool:
                with connected(gateway) as other:
                    other.sendall(HELLO)
                    return other.recv(4, socket.MSG_WAITALL) == b"new\n"

            gateway.until(is_new)
            sock.sendall(b"still")
            assert sock.recv(5, socket.MSG_WAITALL) == b"still"
            gateway.remove("raw")
            gateway.until(lambda: gateway.routes() == [])
            sock.sendall(b"there")
            assert sock.recv(5, socket.MSG_WAITALL) == b"there"


def test_plain_requests_are_sent_to_https(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server), enable_ssl_passthrough=True)
    assert gateway.get("/x", host=HOST).header("location") == f"https://{HOST}/x"


def test_the_host_is_misdirected_where_tls_was_terminated_for_another(
    serve: Serve, server: TcpServer, backends: Backends, authority: Authority
) -> None:
    backend = backends("web")
    gateway = serve(
        *passing(server),
        service("web", backend),
        authority.issue(OTHER).secret("ours"),
        ingress("web", Rule("web", host=OTHER), tls={"ours": [OTHER]}),
        enable_ssl_passthrough=True,
    )
    assert gateway.get_tls(authority.trusting(), host=HOST, server_name=OTHER).status == 421
    assert server.peers == []


def test_of_two_ingresses_the_older_decides_and_the_other_is_told(
    serve: Serve, server: TcpServer, backends: Backends, authority: Authority
) -> None:
    pair = authority.issue(HOST)
    gateway = serve(
        *passing(server, created="2024-01-02T00:00:00Z"),
        service("web", backends("web")),
        pair.secret("pair"),
        ingress("web", Rule("web", host=HOST), tls={"pair": [HOST]}, created="2024-01-01T00:00:00Z"),
        enable_ssl_passthrough=True,
    )
    problems = [problem for problem in gateway.problems() if "does not pass through" in problem["message"]]
    assert [problem["object"]["name"] for problem in problems] == ["raw"]
    assert problems[0]["code"] == "ConflictLost"
    assert shown(gateway, HOST) == pair.serial


def test_without_the_flag_nothing_passes_through(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server))
    assert "--enable-ssl-passthrough" in gateway.problem("PassthroughDisabled")["message"]
    with connected(gateway) as sock:
        sock.sendall(HELLO)
        assert sock.recv(2) == ALERT
    assert server.peers == []


def test_the_backend_is_that_of_the_root_path(serve: Serve) -> None:
    with TcpServer(say_name, name="root") as root, TcpServer(echo) as deep:
        gateway = serve(
            service("root", root.endpoint),
            service("deep", deep.endpoint),
            ingress("both", Rule("deep", "/deep", HOST), Rule("root", "/", HOST), annotations=PASSING),
            ingress("none", Rule("deep", "/deep", OTHER), annotations=PASSING),
            ingress("bare", Rule("deep", "/"), annotations=PASSING),
            enable_ssl_passthrough=True,
        )
        with connected(gateway) as sock:
            sock.sendall(HELLO)
            assert read_line(sock) == b"root"
        told = {problem["object"]["name"]: problem["code"] for problem in gateway.problems() if problem["object"]}
        assert told["none"] == told["bare"] == "NoPassthroughTarget"
        assert "both" not in told


def test_a_wildcard_passes_one_label(serve: Serve, server: TcpServer) -> None:
    gateway = serve(*passing(server, host="*.example.com"), enable_ssl_passthrough=True)
    for name, passes in (("a.example.com", True), ("a.b.example.com", False), ("example.com", False)):
        data = hello.records(hello.message(hello.server_name(name)))
        with connected(gateway) as sock:
            sock.sendall(data)
            assert (sock.recv(2) == data[:2]) is passes


def test_a_host_that_is_guarded_is_opened_so_that_it_stays_guarded(serve: Serve, server: TcpServer) -> None:
    rules = Rule("raw", host=HOST, port=443)
    guarded = ingress("raw", rules, annotations={**PASSING, "allowlist-source-range": "192.0.2.0/24"})
    gateway = serve(service("raw", server.endpoint, port=443), guarded, enable_ssl_passthrough=True)
    problem = gateway.problem("NoPassthroughTarget")
    assert HOST in problem["message"]
    assert gateway.get_tls(blind(), host=HOST).status == 403
    assert server.peers == []
