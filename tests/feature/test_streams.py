"""TCP and UDP services on ports of their own, from flags and from ConfigMaps."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.fixtures import Serve, Spawn
from tests.support.gateway import Served
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.support.tcp import Peer, TcpServer, free_port, read_all, read_line, say_name
from tests.support.udp import UdpServer, udp_client

LINE = b"PROXY TCP4 203.0.113.7 198.51.100.2 40000 443\r\n"


def config_map(name: str, data: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "edge"}, "data": data}


def udp_service(name: str, *endpoints: str, port: int = 53) -> Manifest:
    made = service(name, *endpoints, port=port)
    made["spec"]["ports"][0]["protocol"] = "UDP"
    return made


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def is_refused(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def name_at(port: int) -> bytes:
    with connect(port) as sock:
        return read_line(sock)


@pytest.fixture
def server() -> Iterator[TcpServer]:
    with TcpServer() as server:
        yield server


def trouble(gateway: Served, reason: str) -> float:
    return gateway.metrics().sum("fastingress_stream_troubles_total", reason=reason)


def has_trouble(gateway: Served, reason: str) -> bool:
    return trouble(gateway, reason) == 1


# --- TCP ----------------------------------------------------------------------------------------------------------


def test_a_flag_opens_a_port(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    gateway = serve(service("raw", server.endpoint, port=7), tcp=f"{port}=default/raw:7")
    with connect(port) as sock:
        sock.sendall(b"hello" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"hello" * 100_000
    [shown] = gateway.streams()["ports"]
    assert (shown["protocol"], shown["port"], shown["service"]) == ("tcp", port, "default/raw:7")
    assert shown["endpoints"] == [server.endpoint]
    assert shown["listening"] == [f"127.0.0.1:{port}"]
    assert "--tcp" in shown["origin"]


def test_many_connections_at_once_over_several_workers(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    gateway = serve(service("raw", server.endpoint), tcp=f"{port}=default/raw:80", workers=3)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(port)) for _ in range(60)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%04d" % number)
        for number, sock in enumerate(socks):
            assert sock.recv(4, socket.MSG_WAITALL) == b"%04d" % number
        assert gateway.metrics().sum("fastingress_streams_open", protocol="tcp", port=str(port)) == 60
    gateway.until(lambda: gateway.metrics().sum("fastingress_streams_open") == 0)
    metrics = gateway.metrics()
    assert metrics.sum("fastingress_streams_total", protocol="tcp", port=str(port)) == 60
    assert metrics.sum("fastingress_stream_bytes_in_total") == metrics.sum("fastingress_stream_bytes_out_total") == 240


def test_either_side_may_go_on_after_the_other_has_sent_its_last(serve: Serve) -> None:
    def count(peer: Peer) -> None:
        peer.send(str(len(peer.rest())).encode())

    def last_word(peer: Peer) -> None:
        peer.send(b"bye")
        peer.sock.shutdown(socket.SHUT_WR)
        peer.rest()

    up, down = free_port(), free_port()
    with TcpServer(count) as counting, TcpServer(last_word) as closing:
        serve(
            service("up", counting.endpoint),
            service("down", closing.endpoint),
            tcp=(f"{up}=default/up:80", f"{down}=default/down:80"),
        )
        with connect(up) as sock:
            sock.sendall(b"y" * 300_000)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b"300000"
        with connect(down) as sock:
            assert read_all(sock) == b"bye"
            sock.sendall(b"late" * 1000)
            sock.shutdown(socket.SHUT_WR)
            eventually(lambda: closing.peers[0].received == b"late" * 1000)


def test_large_transfers_arrive_whole_both_ways_at_once(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    serve(service("raw", server.endpoint), tcp=f"{port}=default/raw:80")
    block = bytes(range(256)) * 256
    count = 400
    got = bytearray()
    with connect(port) as sock:

        def read() -> None:
            while data := sock.recv(1 << 16):
                got.extend(data)

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(count):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        reader.join(60)
    assert bytes(got) == block * count


def test_endpoints_take_turns_and_one_that_is_gone_is_passed_over(serve: Serve) -> None:
    port = free_port()
    with TcpServer(say_name, name="a") as a, TcpServer(say_name, name="b") as b:
        serve(service("raw", a.endpoint, b.endpoint), tcp=f"{port}=default/raw:80")
        assert {name_at(port) for _ in range(2)} == {b"a", b"b"}
        a.refuse()
        assert {name_at(port) for _ in range(4)} == {b"b"}


def test_without_an_endpoint_a_connection_ends(serve: Serve) -> None:
    empty, dead = free_port(), free_port()
    gone = free_port()
    gateway = serve(
        service("empty"),
        service("dead", f"127.0.0.1:{gone}"),
        tcp=(f"{empty}=default/empty:80", f"{dead}=default/dead:80"),
    )
    for port, reason in ((empty, "no_endpoints"), (dead, "connect_failed")):
        with connect(port) as sock:
            assert sock.recv(1) == b""
        gateway.until(functools.partial(has_trouble, gateway, reason))


def test_silence_ends_a_stream_and_talk_does_not(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    gateway = serve(service("raw", server.endpoint), tcp=f"{port}=default/raw:80", stream_timeout="300ms")
    with connect(port) as sock:
        for _ in range(5):
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            time.sleep(0.1)
        assert sock.recv(1) == b""
    gateway.until(lambda: trouble(gateway, "idle_timeout") == 1)


# --- ConfigMaps, live ---------------------------------------------------------------------------------------------


def test_a_config_map_opens_closes_and_redirects_ports(serve: Serve) -> None:
    one, two = free_port(), free_port()
    with TcpServer(say_name, name="a") as a, TcpServer(say_name, name="b") as b:
        gateway = serve(service("a", a.endpoint), service("b", b.endpoint), tcp_services_configmap="edge/tcp")
        assert "edge/tcp" in gateway.problem("MissingConfigMap")["message"]
        gateway.put("tcp", config_map("tcp", {str(one): "default/a:80"}))
        gateway.until(lambda: not is_refused(one))
        gateway.until(lambda: gateway.problems() == [])
        with connect(one) as held:
            assert read_line(held) == b"a"
            gateway.put("tcp", config_map("tcp", {str(one): "default/b:http", str(two): "default/a:80"}))
            gateway.until(lambda: not is_refused(two))
            gateway.until(lambda: name_at(one) == b"b")
            gateway.put("tcp", config_map("tcp", {str(two): "default/a:80"}))
            gateway.until(lambda: is_refused(one))
            held.sendall(b"still here")
            assert held.recv(10, socket.MSG_WAITALL) == b"still here", "an open stream does not notice"
            assert name_at(two) == b"a"
        # What was closed a moment ago can be had again.
        gateway.put("tcp", config_map("tcp", {str(one): "default/b:80", str(two): "default/a:80"}))
        gateway.until(lambda: not is_refused(one))
        gateway.until(lambda: gateway.problems() == [])


def test_changes_of_endpoints_leave_open_streams_alone(serve: Serve) -> None:
    port = free_port()
    with TcpServer(say_name, name="a") as a, TcpServer(say_name, name="b") as b:
        gateway = serve(tcp=f"{port}=default/raw:80")
        gateway.put("raw", service("raw", a.endpoint))
        gateway.until(lambda: not gateway.problems())
        with connect(port) as held:
            assert read_line(held) == b"a"
            gateway.put("raw", service("raw", b.endpoint))
            gateway.until(lambda: name_at(port) == b"b")
            held.sendall(b"x")
            assert held.recv(1) == b"x"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("0", "default/raw:80", "port"),
        ("70000", "default/raw:80", "port"),
        ("nine", "default/raw:80", "port"),
        ("9000", "raw:80", "namespace/service"),
        ("9000", "default/raw", "namespace/service"),
        ("9000", "default/raw:0", "port"),
        ("9000", "default/raw:80:YES", "PROXY"),
        ("9000", "default/raw:80:PROXY:PROXY:PROXY", "PROXY"),
        ("9000", "", "namespace/service"),
    ],
)
def test_a_bad_entry_is_a_problem_of_its_own(serve: Serve, server: TcpServer, key: str, value: str, says: str) -> None:
    port = free_port()
    gateway = serve(
        service("raw", server.endpoint),
        config_map("tcp", {key: value, str(port): "default/raw:80"}),
        tcp_services_configmap="edge/tcp",
    )
    [problem] = gateway.problems()
    assert problem["code"] == "InvalidStream"
    assert problem["message"].startswith(f"data[{key}]: "), "the object is not named once more"
    assert says in problem["message"]
    assert problem["object"]["name"] == "tcp"
    assert not is_refused(port), "the other entries serve"


def test_an_entry_that_no_api_server_takes_leaves_the_others_open(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    data: dict[str, Any] = {str(port): "default/raw:80", "a key": "default/raw:80", "9001": 80}
    gateway = serve(
        service("raw", server.endpoint),
        files={"tcp": [config_map("tcp", {str(port): "default/raw:80"})]},
        tcp_services_configmap="edge/tcp",
    )
    assert gateway.problems() == []
    gateway.put("tcp", config_map("tcp", data))
    gateway.until(gateway.problems)
    told = sorted(gateway.problems(), key=lambda problem: problem["message"])
    assert [problem["code"] for problem in told] == ["InvalidField"] * 2
    assert {problem["object"]["name"] for problem in told} == {"tcp"}
    for problem, (key, why) in zip(told, (("9001", "got integer"), ("a key", "a key must be")), strict=True):
        assert problem["message"].startswith(f"data[{key}]: ")
        assert why in problem["message"]
        assert problem["message"].endswith("this entry is left out")
    with connect(port) as sock:
        sock.sendall(b"open")
        assert sock.recv(4, socket.MSG_WAITALL) == b"open"


def test_a_port_that_somebody_else_has_is_a_problem_until_it_is_free(serve: Serve) -> None:
    with TcpServer(say_name, name="theirs") as theirs, TcpServer(say_name, name="ours") as ours:
        port = theirs.address[1]
        gateway = serve(
            service("raw", ours.endpoint),
            config_map("tcp", {str(port): "default/raw:80"}),
            tcp_services_configmap="edge/tcp",
        )
        message = gateway.problem("PortUnavailable")["message"]
        assert f"data[{port}]" in message
        assert "edge/tcp" in message
        assert gateway.streams()["ports"][0]["listening"] == []
        assert name_at(port) == b"theirs"
        theirs.close()
        gateway.until(lambda: gateway.problems() == [])
        assert name_at(port) == b"ours"


def test_ports_of_ours_and_doubled_ones_are_problems(serve: Serve, server: TcpServer) -> None:
    http, port = free_port(), free_port()
    gateway = serve(
        service("raw", server.endpoint),
        config_map("tcp", {str(http): "default/raw:80", str(port): "default/other:80"}),
        http_port=http,
        tcp=f"{port}=default/raw:80",
        tcp_services_configmap="edge/tcp",
    )
    told = sorted(problem["message"] for problem in gateway.problems() if problem["code"] == "PortTaken")
    assert len(told) == 2
    assert any(f"data[{http}]" in message and "--http-port" in message for message in told)
    assert any(f"data[{port}]" in message and "--tcp" in message for message in told)
    with connect(port) as sock:
        sock.sendall(b"flag wins")
        assert sock.recv(9, socket.MSG_WAITALL) == b"flag wins"


def test_a_missing_service_is_a_problem(serve: Serve) -> None:
    gateway = serve(tcp=f"{free_port()}=default/nobody:80")
    assert "default/nobody" in gateway.problem("MissingService")["message"]


def test_what_is_wrong_with_a_service_names_each_port_and_what_its_clients_see(serve: Serve) -> None:
    one, two, three = free_port(), free_port(), free_port()
    gateway = serve(
        ingress("web", Rule("nobody")),
        config_map("tcp", {str(two): "default/nobody:80"}),
        tcp=(f"{one}=default/nobody:80", f"{three}=default/empty:80"),
        tcp_services_configmap="edge/tcp",
    )
    gateway.put("empty", service("empty"))
    gateway.until(lambda: gateway.problem("NoEndpoints"))
    missing = "Service default/nobody does not exist"
    told = {(problem["object"] or {}).get("name"): problem["message"] for problem in gateway.problems()}
    assert told.pop("web") == f"{missing}; what is routed to it is answered 503"
    assert told.pop("tcp") == f"data[{two}]: {missing}; connections to port {two} are closed"
    flags = {problem["message"] for problem in gateway.problems() if problem["object"] is None}
    empty = "Service default/empty has no EndpointSlice and no Endpoints"
    assert flags == {
        f"--tcp {one}=default/nobody:80: {missing}; connections to port {one} are closed",
        f"--tcp {three}=default/empty:80: {empty}; connections to port {three} are closed",
    }


def test_an_app_protocol_of_a_tcp_service_is_nobodys_problem(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    made = service("raw", server.endpoint)
    made["spec"]["ports"][0]["appProtocol"] = "example.com/database"
    gateway = serve(made, tcp=f"{port}=default/raw:80")
    assert gateway.problems() == []
    gateway.put("web", ingress("web", Rule("raw")))
    assert gateway.problem("UnknownAppProtocol")["object"]["kind"] == "Service"


# --- PROXY headers ------------------------------------------------------------------------------------------------


def test_headers_are_taken_and_sent_as_the_entry_says(serve: Serve, server: TcpServer) -> None:
    plain, both, sends, sends2, takes = (free_port() for _ in range(5))
    serve(
        service("raw", server.endpoint),
        tcp=(
            f"{plain}=default/raw:80",
            f"{both}=default/raw:80:PROXY:PROXY",
            f"{sends}=default/raw:80::PROXY",
            f"{sends2}=default/raw:80::PROXYv2",
            f"{takes}=default/raw:80:proxy",
        ),
        proxy_protocol_from="127.0.0.1",
    )

    def echoed(port: int, data: bytes) -> tuple[bytes, int]:
        with connect(port) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock), sock.getsockname()[1]

    assert echoed(plain, LINE + b"hi")[0] == LINE + b"hi"
    assert echoed(both, LINE + b"hi")[0] == LINE + b"hi"
    assert echoed(takes, LINE + b"hi")[0] == b"hi"
    got, own = echoed(sends, b"hi")
    assert got == f"PROXY TCP4 127.0.0.1 127.0.0.1 {own} {sends}\r\nhi".encode()
    got, own = echoed(sends2, b"hi")
    ends = b"\x7f\x00\x00\x01" * 2 + struct.pack("!HH", own, sends2)
    assert got == b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + ends + b"hi"


def test_a_server_that_speaks_first_gets_its_header_first(serve: Serve) -> None:
    def greet(peer: Peer) -> None:
        line = b""
        while not line.endswith(b"\n"):
            line += peer.read(1)
        peer.send(b"hello " + line.split()[2] + b"\n")

    port = free_port()
    with TcpServer(greet) as greeting:
        serve(service("raw", greeting.endpoint), tcp=f"{port}=default/raw:80::PROXY")
        with connect(port) as sock:
            assert read_line(sock) == b"hello 127.0.0.1"


def test_headers_are_taken_from_trusted_networks_alone(serve: Serve, server: TcpServer) -> None:
    port = free_port()
    gateway = serve(
        service("raw", server.endpoint),
        config_map("tcp", {str(port): "default/raw:80:PROXY"}),
        tcp_services_configmap="edge/tcp",
    )
    message = gateway.problem("UntrustedProxy")["message"]
    assert message.startswith(f"data[{port}]: connections to port {port} are closed until --proxy-protocol-from")
    with connect(port) as sock, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        sock.sendall(LINE)
        assert sock.recv(1) == b""
    gateway.until(lambda: trouble(gateway, "proxy_header") == 1)
    assert server.peers == []


# --- the process --------------------------------------------------------------------------------------------------


def test_a_stream_has_a_line_in_the_access_log(spawn: Spawn, server: TcpServer) -> None:
    port = free_port()
    process = spawn(service("raw", server.endpoint), tcp=f"{port}=default/raw:80", access_log="json")
    with connect(port) as sock:
        sock.sendall(b"12345")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"12345"
    output = process.output
    assert output is not None
    process.until(lambda: output.lines)
    line: dict[str, Any] = json.loads(output.lines[0])
    assert line["method"] == "STREAM"
    assert (line["scheme"], line["protocol"], line["host"]) == ("tcp", "TCP", f"127.0.0.1:{port}")
    assert (line["bytes_in"], line["bytes_out"], line["status"]) == (5, 5, 200)
    assert (line["service"], line["endpoint"], line["rule"]) == ("default/raw:80", server.endpoint, None)


def test_at_the_end_streams_may_finish(spawn: Spawn, server: TcpServer) -> None:
    port = free_port()
    process = spawn(
        service("raw", server.endpoint), tcp=f"{port}=default/raw:80", drain_timeout="20s", shutdown_delay="0s"
    )
    with connect(port) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        process.signal(signal.SIGTERM)
        eventually(lambda: is_refused(port))
        sock.sendall(b"b")
        assert sock.recv(1) == b"b"
    assert process.exit_status() == 0


# --- UDP ----------------------------------------------------------------------------------------------------------


def test_datagrams_are_answered_from_the_port_they_were_sent_to(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer() as server, udp_client() as sock:
        gateway = serve(udp_service("dns", server.endpoint), udp=f"{port}=default/dns:53")
        for data in (b"one", b"", b"x" * 1400, b"y" * 9000, b"z" * 60_000):
            sock.sendto(data, ("127.0.0.1", port))
            assert sock.recvfrom(65536) == (b"udp:" + data, ("127.0.0.1", port))
        assert len(server.clients) == 1, "a session has one socket"
        assert gateway.metrics().sum("fastingress_streams_open", protocol="udp", port=str(port)) == 1
        assert gateway.metrics().sum("fastingress_stream_bytes_in_total", protocol="udp") == 3 + 1400 + 9000 + 60_000
        [shown] = gateway.streams()["ports"]
        assert (shown["protocol"], shown["port"]) == ("udp", port)


def test_an_answer_leaves_from_the_address_that_was_asked(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer() as server, udp_client() as sock:
        serve(
            udp_service("dns", server.endpoint), udp=f"{port}=default/dns:53", bind=("0.0.0.0",), admin_bind="127.0.0.1"
        )
        for address in ("127.0.0.1", "127.0.0.77"):
            with udp_client() as sock:
                sock.sendto(b"q", (address, port))
                assert sock.recvfrom(100) == (b"udp:q", (address, port))


def test_sessions_take_turns_and_stay_with_their_endpoint(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer("a") as a, UdpServer("b") as b, contextlib.ExitStack() as stack:
        serve(udp_service("dns", a.endpoint, b.endpoint), udp=f"{port}=default/dns:53", workers=1)
        seen: list[bytes] = []
        for sock in [stack.enter_context(udp_client()) for _ in range(6)]:
            names: set[bytes] = set()
            for _ in range(3):
                sock.sendto(b"q", ("127.0.0.1", port))
                names.add(sock.recv(100))
            assert len(names) == 1
            seen.extend(names)
        assert seen.count(b"a:q") == seen.count(b"b:q") == 3


def test_a_session_moves_on_when_nobody_is_at_its_endpoint(serve: Serve) -> None:
    port, dead = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    with UdpServer("live") as live, contextlib.ExitStack() as stack:
        serve(udp_service("dns", live.endpoint, f"127.0.0.1:{dead}"), udp=f"{port}=default/dns:53", workers=1)

        def is_answered(sock: socket.socket) -> bool:
            sock.sendto(b"q", ("127.0.0.1", port))
            try:
                return sock.recv(100) == b"live:q"
            except TimeoutError:
                return False

        # Of two sessions one begins with nobody: its first datagram finds that out, the next goes elsewhere.
        for sock in [stack.enter_context(udp_client()) for _ in range(4)]:
            sock.settimeout(0.1)
            eventually(functools.partial(is_answered, sock))


def test_silence_ends_a_session(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer() as server, udp_client() as sock:
        gateway = serve(udp_service("dns", server.endpoint), udp=f"{port}=default/dns:53", udp_timeout="200ms")

        def ask() -> None:
            sock.sendto(b"q", ("127.0.0.1", port))
            assert sock.recv(100) == b"udp:q"

        ask()
        gateway.until(lambda: gateway.metrics().sum("fastingress_streams_open", protocol="udp") == 0)
        ask()
        assert len(server.clients) == 2


def test_the_number_of_sessions_is_bounded_and_drops_are_counted(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer() as server, contextlib.ExitStack() as stack:
        # A quarter of the connections may be sessions.
        gateway = serve(udp_service("dns", server.endpoint), udp=f"{port}=default/dns:53", max_connections=40)
        socks = [stack.enter_context(udp_client()) for _ in range(15)]
        for sock in socks:
            sock.sendto(b"q", ("127.0.0.1", port))
        gateway.until(lambda: trouble(gateway, "session_limit") == 5)
        assert gateway.metrics().sum("fastingress_streams_open", protocol="udp") == 10
        for sock in socks[:10]:
            assert sock.recv(100) == b"udp:q"
        assert gateway.get("/").status == 404, "connections still find room"


def test_udp_ports_open_and_close_live(serve: Serve) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with UdpServer() as server, udp_client() as sock:
        gateway = serve(udp_service("dns", server.endpoint), udp_services_configmap="edge/udp")
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))

        def answers() -> bool:
            try:
                sock.send(b"q")
                return sock.recv(100) == b"udp:q"
            except (TimeoutError, ConnectionRefusedError):
                return False

        assert not answers()
        gateway.put("udp", config_map("udp", {str(port): "default/dns:53"}))
        gateway.until(answers)
        gateway.put("udp", config_map("udp", {}))

        def is_free() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
                return True

        gateway.until(is_free)


def test_udp_has_no_proxy_headers_and_needs_a_udp_port(serve: Serve) -> None:
    one, two = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    gateway = serve(
        service("web", "127.0.0.1:1"),
        config_map("udp", {str(one): "default/web:80:PROXY", str(two): "default/web:80"}),
        udp_services_configmap="edge/udp",
    )
    assert "no PROXY headers" in gateway.problem("InvalidStream")["message"]
    message = gateway.problem("MissingPort")["message"]
    assert "no UDP port 80" in message
    assert message.endswith(f"datagrams to port {two} are dropped")
