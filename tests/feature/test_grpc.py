"""gRPC: every kind of call, metadata and trailers, deadlines, many calls, by a real client and a real server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest

from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.fixtures import Serve
from tests.support.gateway import Served
from tests.support.grpc_server import SERVING, Server, method
from tests.support.http2 import Http2Client
from tests.support.manifests import Rule, ingress, service

HOST = "grpc.example.com"
PATIENCE = 30
Start = Callable[..., Server]


@pytest.fixture
def servers() -> Iterator[Start]:
    """Starts servers of gRPC; they end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Server(*args, **options))


def publish(serve: Serve, authority: Authority, *endpoints: str, **annotations: str) -> Served:
    """A gateway that has TLS for the host and sends its calls to these endpoints."""
    given = {"backend-protocol": "GRPC", **{key.replace("_", "-"): value for key, value in annotations.items()}}
    return serve(
        service("echo", *endpoints),
        authority.issue(HOST).secret("cert"),
        ingress("echo", Rule("echo", host=HOST), tls={"cert": [HOST]}, annotations=given),
    )


@contextmanager
def channel(gateway: Served, authority: Authority, host: str = HOST) -> Iterator[Any]:
    """A client's connection. Without types: messages are plain bytes."""
    options = (("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", host))
    credentials = grpc.ssl_channel_credentials(authority.pem)
    with grpc.secure_channel(f"127.0.0.1:{gateway.https[1]}", credentials, options) as opened:
        yield opened


def wait_for_calls(server: Server, count: int) -> None:
    eventually(lambda: server.echo.calls > count)


def fails(call: Callable[[], Any]) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_every_kind_of_call_goes_through(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint)
    with channel(gateway, authority) as client:
        assert client.unary_unary(method("Unary"))(b"hello", timeout=PATIENCE) == b"hello"
        assert list(client.unary_stream(method("Count"))(b"100", timeout=PATIENCE)) == [b"%d" % n for n in range(100)]
        parts = [b"a" * 1000, b"", b"c"]
        assert client.stream_unary(method("Collect"))(iter(parts), timeout=PATIENCE) == b",".join(parts)
        assert list(client.stream_stream(method("Chat"))(iter([b"a", b"b"]), timeout=PATIENCE)) == [b"A", b"B"]


def test_a_conversation_goes_back_and_forth_as_it_is_held(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint)
    said: list[bytes] = []
    turn = threading.Semaphore(0)

    def speak() -> Iterator[bytes]:
        for word in (b"one", b"two", b"three"):
            yield word
            assert turn.acquire(timeout=PATIENCE), "the answer comes before the next word is said"

    with channel(gateway, authority) as client:
        for answer in client.stream_stream(method("Chat"))(speak(), timeout=PATIENCE):
            said.append(answer)
            turn.release()
    assert said == [b"ONE", b"TWO", b"THREE"]


def test_metadata_and_trailers_pass_both_ways(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers("one").endpoint)
    with channel(gateway, authority) as client:
        sent = (("x-asked", "value"), ("x-raw-bin", b"\x00\x01\xff"))
        _, call = client.unary_unary(method("Unary")).with_call(b"", metadata=sent, timeout=PATIENCE)
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert (initial["x-asked"], initial["x-raw-bin"], initial["x-server"]) == ("value", b"\x00\x01\xff", "one")
    assert (trailing["x-end"], trailing["x-raw-bin"]) == ("yes", b"\x00\xff")


def test_the_health_service_is_one_like_any_other(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint)
    with channel(gateway, authority) as client:
        assert client.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE) == SERVING


def test_statuses_of_the_server_pass_as_they_are(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint)
    with channel(gateway, authority) as client:
        error = fails(lambda: client.unary_unary(method("Fail"))(b"not now", timeout=PATIENCE))
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now")
        assert dict(error.trailing_metadata() or ())["x-why"] == "because"
        error = fails(lambda: client.unary_unary(method("None"))(b"", timeout=PATIENCE))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, "an answer that is a head alone"


def test_ten_thousand_calls_are_kept_on_a_few_connections(serve: Serve, servers: Start, authority: Authority) -> None:
    server = servers()
    gateway = publish(serve, authority, server.endpoint, load_balance="least_requests")
    with channel(gateway, authority) as client:
        unary = client.unary_unary(method("Unary"))
        for batch in range(0, 10_000, 500):
            calls = [unary.future(b"%d" % number, timeout=PATIENCE) for number in range(batch, batch + 500)]
            assert [call.result() for call in calls] == [b"%d" % number for number in range(batch, batch + 500)]
    assert server.echo.calls == 10_000
    assert len(server.echo.peers) < 20


def test_calls_on_one_connection_go_to_every_endpoint_in_turn(
    serve: Serve, servers: Start, authority: Authority
) -> None:
    gateway = publish(serve, authority, *(servers(name).endpoint for name in ("one", "two", "three")))
    with channel(gateway, authority) as client:
        names = [client.unary_unary(method("Name"))(b"", timeout=PATIENCE) for _ in range(30)]
    assert {names.count(name) for name in (b"one", b"two", b"three")} == {10}


def test_a_call_that_is_given_up_ends_at_the_server(serve: Serve, servers: Start, authority: Authority) -> None:
    server = servers()
    gateway = publish(serve, authority, server.endpoint)
    waiting = threading.Event()

    def speak() -> Iterator[bytes]:
        yield b"hello"
        waiting.wait(PATIENCE)

    with channel(gateway, authority) as client:
        call = client.stream_stream(method("Chat"))(speak(), timeout=PATIENCE)
        assert next(call) == b"HELLO"
        call.cancel()
        waiting.set()
        eventually(server.echo.cancelled.is_set)


def test_a_server_over_tls_is_spoken_to_in_http2(serve: Serve, servers: Start, authority: Authority) -> None:
    server = servers(pair=authority.issue("inner.example.com"))
    gateway = publish(serve, authority, server.endpoint, backend_protocol="GRPCS")
    with channel(gateway, authority) as client:
        assert client.unary_unary(method("Unary"))(b"hello", timeout=PATIENCE) == b"hello"


def test_a_server_that_restarts_in_good_order_loses_no_call(serve: Serve, servers: Start, authority: Authority) -> None:
    first = servers("first")
    port = first.port
    gateway = publish(serve, authority, first.endpoint, servers("other").endpoint)
    failed: list[Any] = []
    over = threading.Event()

    with channel(gateway, authority) as client:
        unary = client.unary_unary(method("Unary"))

        def call() -> None:
            while not over.is_set():
                try:
                    unary(b"x", timeout=PATIENCE)
                except grpc.RpcError as error:
                    failed.append(error)

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for _ in range(3):
            before = first.echo.calls
            wait_for_calls(first, before + 20)
            first.close(grace=5)
            first = servers("again", port=port)
        over.set()
        for caller in callers:
            caller.join(PATIENCE)
    # This server answers so what reaches it while it closes, to its own clients as well.
    own = [error for error in failed if error.code() == grpc.StatusCode.CANCELLED]
    assert [error for error in failed if error not in own] == []
    assert len(own) < 20


# --- what the gateway says itself ------------------------------------------------------------------------------------


def test_errors_of_our_own_are_statuses_of_grpc(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, proxy_body_size="1k")
    with channel(gateway, authority) as client:
        error = fails(lambda: client.unary_unary(method("Unary"))(b"x" * 2000, timeout=PATIENCE))
        assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "body_too_large")
    with channel(gateway, authority, "nobody.example.com") as client:
        error = fails(lambda: client.unary_unary(method("Unary"))(b"", timeout=PATIENCE))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "no_route")


def test_a_server_that_cannot_be_reached_is_unavailable(serve: Serve, servers: Start, authority: Authority) -> None:
    server = servers()
    gateway = publish(serve, authority, server.endpoint)
    server.close()
    with channel(gateway, authority) as client:
        error = fails(lambda: client.unary_unary(method("Unary"))(b"", timeout=PATIENCE))
        assert error.code() == grpc.StatusCode.UNAVAILABLE


def test_clients_that_are_kept_out_are_told_so(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, denylist_source_range="127.0.0.0/8")
    with channel(gateway, authority) as client:
        error = fails(lambda: client.unary_unary(method("Unary"))(b"", timeout=PATIENCE))
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED


def test_a_deadline_is_kept_by_the_gateway_too(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint)
    with channel(gateway, authority) as client:
        error = fails(lambda: client.unary_unary(method("Sleep"))(b"20", timeout=0.5))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    # A client that says what its deadline is and does not look at the clock itself.
    with Http2Client(gateway.https, tls=authority.trusting(), server_name=HOST) as bare:
        head = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "300m")]
        call = bare.request(method("Sleep"), method="POST", host=HOST, headers=head, end=False)
        bare.send(call, message(b"20"), end=True)
        answer = bare.answer(call)
    assert answer.status == 200
    assert answer.header("grpc-status") == "4"


# --- gRPC-Web --------------------------------------------------------------------------------------------------------


def message(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4, "big") + content


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """Flag and content of each frame."""
    found = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        found.append((body[0], body[5 : 5 + length]))
        body = body[5 + length :]
    return found


def pieces(text: bytes) -> bytes:
    """Base64 that may have padding in the middle."""
    return b"".join(base64.b64decode(text[at : at + 4]) for at in range(0, len(text), 4))


def test_grpc_web_becomes_grpc_and_trailers_a_frame(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, grpc_web="true", ssl_redirect="false")
    head = [("Content-Type", "application/grpc-web+proto"), ("X-Asked", "1")]
    answer = gateway.get(method("Unary"), host=HOST, method="POST", headers=head, body=message(b"hello"))
    assert (answer.status, answer.header("content-type")) == (200, "application/grpc-web")
    assert answer.header("x-asked") == "1"
    (flag, content), (last, trailers) = frames(answer.body)
    assert (flag, content, last) == (0, b"hello", 0x80)
    assert b"grpc-status: 0\r\n" in trailers
    assert b"x-end: yes\r\n" in trailers


def test_grpc_web_in_text_is_base64_both_ways(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, grpc_web="true", ssl_redirect="false")
    head = [("Content-Type", "application/grpc-web-text")]
    sent = base64.b64encode(message(b"30"))
    answer = gateway.get(method("Count"), host=HOST, method="POST", headers=head, body=sent)
    assert (answer.status, answer.header("content-type")) == (200, "application/grpc-web-text")
    found = frames(pieces(answer.body))
    assert [content for flag, content in found if flag == 0] == [b"%d" % number for number in range(30)]
    assert found[-1][0] == 0x80
    big = bytes(range(256)) * 2000
    sent = base64.b64encode(message(big))
    answer = gateway.get(method("Unary"), host=HOST, method="POST", headers=head, body=sent)
    assert frames(pieces(answer.body))[0] == (0, big)


def test_grpc_web_that_is_no_base64_is_refused(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, grpc_web="true", ssl_redirect="false")
    head = [("Content-Type", "application/grpc-web-text")]
    answer = gateway.get(method("Unary"), host=HOST, method="POST", headers=head, body=b"not base64 at all!")
    assert (answer.status, answer.header("grpc-status")) == (200, "13")


def test_grpc_web_is_told_of_errors_as_it_reads_them(serve: Serve, servers: Start, authority: Authority) -> None:
    server = servers()
    gateway = publish(serve, authority, server.endpoint, grpc_web="true", ssl_redirect="false")
    head = [("Content-Type", "application/grpc-web")]
    answer = gateway.get(method("None"), host=HOST, method="POST", headers=head, body=message(b""))
    assert (answer.status, answer.header("grpc-status")) == (200, "12"), "an answer that is a head alone"
    server.close()
    answer = gateway.get(method("Unary"), host=HOST, method="POST", headers=head, body=message(b""))
    assert (answer.status, answer.header("grpc-status")) == (200, "14")
    assert answer.header("content-type") == "application/grpc-web"


def test_grpc_web_passes_as_it_is_unless_asked_for(serve: Serve, servers: Start, authority: Authority) -> None:
    gateway = publish(serve, authority, servers().endpoint, ssl_redirect="false")
    head = [("Content-Type", "application/grpc-web")]
    answer = gateway.get(method("Unary"), host=HOST, method="POST", headers=head, body=message(b"hello"))
    assert answer.status == 502, "the server resets what is no gRPC"
