"""What the core is trained on: every kind of traffic, and of each enough to be counted.

Only how often each way through the code is taken counts, not how fast: clients and backends of the tests will do.
Every answer is checked, for a wrong way would be trained as well.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.support.backend import Backend, Exchange
from tests.support.certificates import Authority
from tests.support.client import RawClient, request_bytes
from tests.support.grpc_server import Server as GrpcServer
from tests.support.grpc_server import method
from tests.support.http2 import Http2Client
from tests.support.http3 import Http3Client
from tests.support.manifests import Manifest, Rule, ingress, service, write
from tests.support.process import Process
from tests.support.tcp import TcpServer, echo
from tests.support.udp import UdpServer, udp_client

HOST = "shop.example.com"
CALLED = "calls.example.com"
FILTERED = "filtered.example.com"
HOSTS = 500
"""Besides those: a table of some size is compiled and looked up in."""
CONNECTIONS = 16
TURNS = 100
"""Of requests on all connections at once: what is hot is to be far from what is done once."""
LONG = 4 << 20
BROWSER = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
)
PROGRAM = (("User-Agent", "curl/8.14.1"), ("Accept", "*/*"))
CLIENTS = (BROWSER, PROGRAM)
ANSWERED = (
    ("Date", "Mon, 01 Sep 2025 12:00:00 GMT"),
    ("Server", "shop"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "private, max-age=0"),
    ("ETag", '"5f3-61c0"'),
    ("Vary", "Accept-Encoding"),
)


@dataclass(frozen=True)
class Site:
    """What a gateway has to serve: the backends, and what clients trust."""

    folder: Path
    authority: Authority
    tcp: str
    udp: str

    def flags(self) -> dict[str, str | bool]:
        """Options that the gateway needs to serve it all."""
        return {"h2c": True, "http3": True, "tcp": f"{self.tcp}=default/echo:80", "udp": f"{self.udp}=default/said:80"}


@contextmanager
def site(folder: Path, tcp_port: int, udp_port: int) -> Iterator[Site]:
    """Backends, and manifests that lead to them. The ports are those of the gateway for streams."""
    authority = Authority()
    with ExitStack() as stack:
        web = stack.enter_context(Backend("web", _answer))
        calls = stack.enter_context(GrpcServer())
        streams = stack.enter_context(TcpServer(handler=echo))
        datagrams = stack.enter_context(UdpServer())
        sockets = stack.enter_context(serve(_repeat, "127.0.0.1", 0, compression=None))
        threading.Thread(target=sockets.serve_forever, daemon=True).start()
        stack.callback(sockets.shutdown)
        plain = {"ssl-redirect": "false", "proxy-body-size": "0"}
        write(
            folder / "services.yaml",
            service("web", web),
            service("calls", calls.endpoint),
            service("echo", streams.endpoint),
            _datagrams("said", datagrams.endpoint),
            service("sockets", f"127.0.0.1:{sockets.socket.getsockname()[1]}"),
            authority.issue(HOST, CALLED, FILTERED).secret("shop"),
        )
        write(
            folder / "shop.yaml",
            ingress(
                "shop",
                *(Rule("web", path, HOST) for path in ("/", "/shop", "/shop/cart")),
                Rule("sockets", "/sockets", HOST),
                tls={"shop": [HOST, CALLED, FILTERED]},
                annotations=plain,
            ),
            ingress("calls", Rule("calls", "/", CALLED), annotations={**plain, "backend-protocol": "GRPC"}),
            ingress("filtered", Rule("web", "/api/(.*)", FILTERED, "ImplementationSpecific"), annotations=_filters()),
        )
        route(folder, 0)
        yield Site(folder, authority, str(tcp_port), str(udp_port))


def route(folder: Path, number: int) -> None:
    """Writes the other hosts, with another path for each number: a table to be compiled anew."""
    rules = (Rule("web", path, f"host-{host}.example.com") for host in range(HOSTS) for path in ("/", f"/{number}"))
    write(folder / "others.yaml", ingress("others", *rules, annotations={"ssl-redirect": "false"}))


def _datagrams(name: str, endpoint: str) -> Manifest:
    made = service(name, endpoint)
    made["spec"]["ports"][0]["protocol"] = "UDP"
    return made


def _filters() -> dict[str, str]:
    """Annotations that many have, each of which does something to a request or its answer."""
    return {
        "ssl-redirect": "false",
        "use-regex": "true",
        "rewrite-target": "/shop/$1",
        "x-forwarded-prefix": "/api",
        "whitelist-source-range": "127.0.0.0/8",
    }


def _answer(exchange: Exchange) -> None:
    """So many bytes as the query says, in chunks when it says so too."""
    exchange.read_body()
    length, _, form = exchange.request.target.rpartition("?")[2].partition("&")
    body = b"x" * int(length)
    if form != "chunked":
        exchange.answer(200, body, ANSWERED)
        return
    head = "".join(f"{name}: {value}\r\n" for name, value in (*ANSWERED, ("Transfer-Encoding", "chunked")))
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))
    exchange.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + chunks)


def _repeat(socket: ServerConnection) -> None:
    for message in socket:
        socket.send(message)


# clients


def requests(gateway: Process, tls: ssl.SSLContext | None) -> None:
    """HTTP/1.1 on connections that are kept: short answers and longer ones, bodies, chunks."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(gateway, tls)) for _ in range(CONNECTIONS)]
        for length in (0, 1 << 10, 16 << 10):
            _ask(clients, f"/shop/cart?{length}", length, TURNS if length == 1 << 10 else TURNS // 4)
        _ask(clients, "/shop?3000&chunked", 3000, TURNS // 4)
        _ask(clients, "/shop?100", 100, TURNS // 4, body=b"y" * 4096)
        _ask(clients, "/api/cart?1024", 1024, TURNS // 4, host=FILTERED)
        for number in range(0, HOSTS, 5):
            _ask(clients[:1], "/?10", 10, 1, host=f"host-{number}.example.com")


def _client(gateway: Process, tls: ssl.SSLContext | None) -> RawClient:
    return RawClient(gateway.https if tls else gateway.http, tls=tls, server_name=HOST if tls else None)


def _ask(
    clients: Sequence[RawClient], target: str, length: int, turns: int, host: str = HOST, body: bytes = b""
) -> None:
    """All ask, and then all are answered: the gateway finds several connections ready."""
    for turn in range(turns):
        asked = request_bytes("POST" if body else "GET", target, host, CLIENTS[turn % 2], body)
        for client in clients:
            client.send(asked)
        for client in clients:
            answer = client.response()
            _demand((answer.status, len(answer.body)), (200, length), target)


def closing_connections(gateway: Process, tls: Sequence[ssl.SSLContext]) -> None:
    """A connection for each request; over TLS with a whole handshake and with one that goes on from another's."""
    for turn in range(4 * TURNS):
        with _client(gateway, None) as client:
            client.send(
                request_bytes(target="/?1024", host=HOST, headers=(*CLIENTS[turn % 2], ("Connection", "close")))
            )
            _demand(client.response().status, 200, "a request on a connection of its own")
            _demand(client.is_closed(), True, "a connection that is to be closed")
    for context in tls:
        session = None
        for _ in range(TURNS):
            with RawClient(gateway.https) as client:
                client.sock = context.wrap_socket(client.sock, server_hostname=HOST, session=session)
                client.reader = type(client.reader)(client.sock)
                client.send(request_bytes(target="/?10", host=HOST, headers=PROGRAM))
                _demand(client.response().status, 200, "a request after a handshake")
                session = None if session else client.sock.session


def multiplexed(gateway: Process, tls: ssl.SSLContext | None) -> None:
    """HTTP/2, many streams at once."""
    address = gateway.https if tls else gateway.http
    name = HOST if tls else None
    with ExitStack() as stack:
        clients = [stack.enter_context(Http2Client(address, tls=tls, server_name=name)) for _ in range(4)]
        for turn in range(TURNS):
            _streams(clients, turn, 1 << 10)
            if turn % 4 == 0:
                _streams(clients, turn, 16 << 10)
                _streams(clients, turn, 100, body=b"y" * 4096)


def _streams(clients: Sequence[Http2Client], turn: int, length: int, body: bytes = b"") -> None:
    """Sixteen on each connection, all at once."""
    asked = [(client, _stream(client, f"/shop?{length}", turn, body)) for client in clients for _ in range(16)]
    for client, stream in asked:
        answer = client.answer(stream)
        _demand((answer.status, len(answer.body)), (200, length), "a stream")


def _stream(client: Http2Client, target: str, turn: int, body: bytes) -> int:
    headers = [(name.lower(), value) for name, value in CLIENTS[turn % 2]]
    stream = client.request(target, host=HOST, method="POST" if body else "GET", headers=headers, end=not body)
    if body:
        client.send(stream, body, end=True)
    return stream


def over_quic(gateway: Process, authority: Authority) -> None:
    """HTTP/3."""
    with Http3Client(gateway.https, server_name=HOST, trust=authority.pem, max_data=1 << 24) as client:
        for _ in range(TURNS):
            streams = [client.request("/shop?1024", host=HOST, headers=[("accept", "*/*")]) for _ in range(4)]
            for stream in streams:
                _demand(client.answer(stream).status, 200, "a request over HTTP/3")


def calls(gateway: Process) -> None:
    """gRPC, many at once on one connection."""
    host, port = gateway.http
    options = [("grpc.default_authority", CALLED)]
    with grpc.insecure_channel(f"{host}:{port}", options=options) as channel:
        unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method("Unary"))
        for _ in range(TURNS):
            for call in [unary.future(b"z" * 100, timeout=20) for _ in range(16)]:
                _demand(call.result(), b"z" * 100, "a call")


def long_bodies(gateway: Process, tls: ssl.SSLContext | None) -> None:
    """Down and up, far more than one read."""
    with _client(gateway, tls) as client:
        _ask([client], f"/shop?{LONG}", LONG, 4)
        _ask([client], f"/shop?{LONG}&chunked", LONG, 1)
        _ask([client], "/shop?10", 10, 4, body=b"y" * LONG)


def streams(gateway: Process, at: Site) -> None:
    """WebSocket, TCP, UDP."""
    host, port = gateway.http
    with connect(f"ws://{HOST}:{port}/sockets", sock=RawClient((host, port)).sock, compression=None) as socket:
        for _ in range(4 * TURNS):
            socket.send(b"w" * 100)
            _demand(socket.recv(), b"w" * 100, "a message")
    for _ in range(TURNS):
        with RawClient(("127.0.0.1", int(at.tcp))) as client:
            for _ in range(4):
                _demand(client.send(b"t" * 100).reader.exactly(100), b"t" * 100, "an echo over TCP")
    with closing(udp_client()) as sock:
        for _ in range(4 * TURNS):
            sock.sendto(b"u" * 100, ("127.0.0.1", int(at.udp)))
            _demand(sock.recv(1000), b"udp:" + b"u" * 100, "a datagram")


def changes(gateway: Process, at: Site) -> None:
    """Tables are swapped, which a request then sees."""
    for number in range(1, 11):
        route(at.folder, number)
        gateway.until(partial(_has, gateway, f"/{number}"))


def _has(gateway: Process, path: str) -> bool:
    return any(each["path"] == path for each in gateway.routes())


def steps(gateway: Process, at: Site) -> Iterator[tuple[str, Callable[[], None]]]:
    """All there is to do, in words and as functions."""
    _demand([each["message"] for each in gateway.problems()], [], "problems of what is served")
    trust = at.authority.trusting()
    older = at.authority.trusting(at_most=ssl.TLSVersion.TLSv1_2)
    both = at.authority.trusting()  # a context for HTTP/2, which asks for it by ALPN
    yield "HTTP/1.1", lambda: requests(gateway, None)
    yield "HTTP/1.1 over TLS", lambda: requests(gateway, trust)
    yield "connections and handshakes", lambda: closing_connections(gateway, (trust, older))
    yield "HTTP/2", lambda: multiplexed(gateway, None)
    yield "HTTP/2 over TLS", lambda: multiplexed(gateway, both)
    yield "HTTP/3", lambda: over_quic(gateway, at.authority)
    yield "gRPC", lambda: calls(gateway)
    yield "long bodies", lambda: long_bodies(gateway, None)
    yield "long bodies over TLS", lambda: long_bodies(gateway, trust)
    yield "streams", lambda: streams(gateway, at)
    yield "changes of routes", lambda: changes(gateway, at)


def _demand(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {found!r:.200} and not {expected!r:.200}")
