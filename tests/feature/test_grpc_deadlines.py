"""The deadline of a call (`grpc-timeout`) is kept by the gateway: as it connects, as it waits, and within an answer.

Neither the client nor the backend here looks at a clock, and every other timeout is longer than a test has patience.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.client import TIMEOUT, request_bytes
from tests.support.eventually import eventually
from tests.support.fixtures import Serve, Spawn
from tests.support.frames import INITIAL_WINDOW_SIZE, Answer, H2Client, request_fields
from tests.support.manifests import Rule, ingress, service
from tests.support.stuck import stuck_endpoint
from tests.support.tcp import Peer, TcpServer
from tests.support.timeless import Timeless, head, message, timeless

SOON = b"300m"
AGES = b"99999999H"
Start = Callable[..., tuple[str, Timeless]]


@pytest.fixture
def backend() -> Iterator[Start]:
    """Starts backends that mind no deadline; they end with the test."""
    with ExitStack() as stack:
        yield lambda *speech: stack.enter_context(timeless(*speech))


def publish(serve: Any, *endpoints: str, protocol: str = "GRPC", connect: str = "3600", **more: Any) -> Any:
    """A gateway that has hours for everything."""
    patient = {"proxy-connect-timeout": connect, "proxy-read-timeout": "3600", "proxy-send-timeout": "3600"}
    annotations = {"backend-protocol": protocol, **patient, **more.pop("annotations", {})}
    return serve(service("echo", *endpoints), ingress("echo", Rule("echo"), annotations=annotations), h2c=True, **more)


def fields(deadline: bytes | None = SOON) -> list[tuple[bytes, bytes]]:
    """The head of a call."""
    more = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
    if deadline is not None:
        more.append((b"grpc-timeout", deadline))
    return request_fields(b"/test.Echo/Call", method=b"POST", more=more)


def call(gateway: Any, deadline: bytes = SOON) -> Answer:
    """The answer to a call with one message."""
    with H2Client(gateway.http) as client:
        stream = client.start(fields(deadline), end=False)
        client.send(message(stream))
        return client.answer(stream)


def told(answer: Answer) -> tuple[bytes, bytes]:
    """Status and message of an answer that is a head alone."""
    found = dict(answer.headers)
    assert answer.ended
    return found[b"grpc-status"], found[b"grpc-message"]


EXCEEDED = (b"4", b"deadline_exceeded")
AT_THE_END = [(b"grpc-status", b"4"), (b"grpc-message", b"deadline_exceeded")]


# --- before the answer -----------------------------------------------------------------------------------------------


def test_an_endpoint_that_does_not_take_the_connection_is_waited_for_until_the_deadline(serve: Serve) -> None:
    with stuck_endpoint() as stuck:
        gateway = publish(serve, stuck)
        begun = time.monotonic()
        assert told(call(gateway)) == EXCEEDED
        assert time.monotonic() - begun >= 0.3, "not before it"


def test_an_endpoint_that_does_not_shake_hands_is_waited_for_until_the_deadline(serve: Serve) -> None:
    left: list[Peer] = []

    def say_nothing(peer: Peer) -> None:
        peer.rest()
        left.append(peer)

    with TcpServer(say_nothing) as silent:
        gateway = publish(serve, silent.endpoint, protocol="GRPCS")
        assert told(call(gateway)) == EXCEEDED
        eventually(lambda: left, what="the connection that nobody waits for is closed")


def test_all_tries_of_a_call_have_one_deadline(serve: Serve) -> None:
    with stuck_endpoint() as one, stuck_endpoint() as two, stuck_endpoint() as three:
        # Each try alone is shorter than the deadline, all together are longer.
        gateway = publish(serve, one, two, three, connect="1")
        assert told(call(gateway, b"1500m")) == EXCEEDED


def test_a_backend_that_does_not_answer_is_told_that_nobody_waits(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend()
    gateway = publish(serve, endpoint)
    assert told(call(gateway)) == EXCEEDED
    eventually(lambda: seen.resets == ["CANCEL"])


def test_a_deadline_in_ages_is_as_good_as_none(serve: Serve, backend: Start) -> None:
    endpoint, _ = backend(lambda stream: head(stream) + message(stream))
    gateway = publish(serve, endpoint)
    for deadline in (None, AGES):
        with H2Client(gateway.http) as client:
            answer = client.answers.setdefault(client.start(fields(deadline), end=False), Answer())
            while not answer.body:
                assert client.read()
            assert not answer.over


# --- within the answer -----------------------------------------------------------------------------------------------


def test_a_stream_that_stands_still_ends_at_the_deadline_on_both_sides(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend(lambda stream: head(stream) + message(stream))
    gateway = publish(serve, endpoint)
    answer = call(gateway)
    assert (answer.status, bytes(answer.body)) == (200, b"\0\0\0\0\4tick")
    assert (answer.trailers, answer.reset) == (AT_THE_END, "")
    eventually(lambda: seen.resets == ["CANCEL"])


def test_a_stream_on_which_something_moves_ends_at_the_deadline_too(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend(head, message)
    gateway = publish(serve, endpoint, annotations={"proxy-body-size": "0"})
    with H2Client(gateway.http) as client:
        stream = client.start(fields(), end=False)
        answer = client.answers.setdefault(stream, Answer())
        end = time.monotonic() + TIMEOUT
        while not answer.over:
            assert time.monotonic() < end, "it goes on and on"
            heard = len(answer.body)
            client.send(message(stream))
            while len(answer.body) == heard and not answer.over:
                assert client.read()
    assert answer.trailers == AT_THE_END
    assert answer.body.startswith(b"\0\0\0\0\4tick" * 2)
    eventually(lambda: seen.resets == ["CANCEL"])


def test_the_connection_of_a_client_outlives_a_call_that_was_ended(serve: Serve, backend: Start) -> None:
    endpoint, _ = backend(lambda stream: head(stream) + message(stream))
    gateway = publish(serve, endpoint)
    with H2Client(gateway.http) as client:
        for _ in range(2):
            assert client.answer(client.start(fields())).trailers == AT_THE_END


def test_a_client_that_has_not_taken_what_came_is_reset(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend(lambda stream: head(stream) + message(stream))
    gateway = publish(serve, endpoint)
    with H2Client(gateway.http, first=((INITIAL_WINDOW_SIZE, 4),)) as client:
        answer = client.answer(client.start(fields()))
    assert (bytes(answer.body), answer.trailers, answer.reset) == (b"\0\0\0\0", [], "INTERNAL_ERROR")
    eventually(lambda: seen.resets == ["CANCEL"])


def test_an_answer_whose_length_was_said_is_reset(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend(lambda stream: head(stream, [(b"content-length", b"1000")]) + message(stream))
    gateway = publish(serve, endpoint)
    answer = call(gateway)
    assert (answer.status, answer.trailers, answer.reset) == (200, [], "INTERNAL_ERROR")
    eventually(lambda: seen.resets == ["CANCEL"])


def test_an_answer_of_grpc_web_is_cut(serve: Serve, backend: Start) -> None:
    endpoint, seen = backend(lambda stream: head(stream) + message(stream))
    gateway = publish(serve, endpoint, annotations={"grpc-web": "true"})
    sent = [("Content-Type", "application/grpc-web"), ("grpc-timeout", SOON.decode())]
    with gateway.connect() as client:
        client.send(request_bytes("POST", "/test.Echo/Call", headers=sent, body=b"\0\0\0\0\0"))
        received = client.rest()
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"\0\0\0\0\4tick\r\n"), "and no last chunk"
    eventually(lambda: seen.resets == ["CANCEL"])


# --- in the access log -----------------------------------------------------------------------------------------------


def test_the_access_log_says_that_the_deadline_has_passed(spawn: Spawn, backend: Start) -> None:
    endpoint, _ = backend(lambda stream: head(stream) + message(stream))
    with stuck_endpoint() as stuck:
        patient = {"backend-protocol": "GRPC", "proxy-connect-timeout": "3600", "proxy-read-timeout": "3600"}
        process = spawn(
            service("echo", endpoint),
            service("stuck", stuck),
            ingress("echo", Rule("echo", "/test.Echo"), Rule("stuck", "/test.Stuck"), annotations=patient),
            h2c=True,
            access_log="json",
        )
        call(process)
        with H2Client(process.http) as client:
            stuck_call = [(name, value.replace(b"Echo", b"Stuck")) for name, value in fields()]
            assert told(client.ask(stuck_call)) == EXCEEDED
        output = process.output
        assert output is not None
        process.until(lambda: len(output.lines) == 2)
    lines = [json.loads(line) for line in output.lines]
    assert [(line["status"], line["reason"]) for line in lines] == [
        (200, "deadline_exceeded"),
        (504, "deadline_exceeded"),
    ]
