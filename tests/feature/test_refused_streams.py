"""What an HTTP/2 backend refuses unseen is asked again, whatever it is; what it may have seen is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.fixtures import Serve
from tests.support.gateway import Served
from tests.support.http2_backend import Http2Backend, Judge, Stream
from tests.support.manifests import Rule, ingress, service
from tests.support.protocols import ALL, OVER_ALL, Spoken

INTERNAL_ERROR, REFUSED_STREAM = 0x2, 0x7
BODY = b"b" * 5_000
Start = Callable[..., Http2Backend]


@pytest.fixture
def backends() -> Iterator[Start]:
    """Starts backends that speak HTTP/2."""
    with ExitStack() as stack:

        def start(name: str, judge: Judge = lambda _: None) -> Http2Backend:
            return stack.enter_context(Http2Backend(name, judge))

        yield start


def before(serve: Serve, *backends: Http2Backend) -> Served:
    """A gateway in front of these."""
    rule = ingress("web", Rule("web"), annotations={"backend-protocol": "H2C"})
    return serve(service("web", *(each.endpoint for each in backends)), rule, workers=1, **ALL)


def always(code: int) -> Judge:
    """Gives up every stream."""
    return lambda _: code


@OVER_ALL
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_endpoint_answers_what_one_refused(serve: Serve, backends: Start, spoken: Spoken, method: str) -> None:
    full, free = backends("full", always(REFUSED_STREAM)), backends("free")
    gateway = before(serve, full, free)
    body = BODY if method == "POST" else b""
    for number in range(4):
        answer = spoken.ask(gateway, f"/{number}", method=method, body=body)
        assert (answer.status, answer.text) == (200, "free")
    assert full.refused, "it was never the turn of the one that refuses"
    assert [(stream.headers[":path"], stream.headers[":method"], stream.body) for stream in free.streams] == [
        (f"/{number}", method, body) for number in range(4)
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_only_endpoint_is_asked_again_after_it_refused(serve: Serve, backends: Start, method: str) -> None:
    seen: list[str] = []

    def once(stream: Stream) -> int | None:
        path = stream.headers[":path"]
        seen.append(path)
        return REFUSED_STREAM if seen.count(path) == 1 else None

    backend = backends("web", once)
    gateway = before(serve, backend)
    for number in range(3):
        assert gateway.get(f"/{number}", method=method, body=BODY if method == "POST" else b"").text == "web"
    assert seen == [f"/{number}" for number in range(3) for _ in range(2)]


def test_one_that_refuses_everything_costs_502_with_a_reason(serve: Serve, backends: Start) -> None:
    backend = backends("full", always(REFUSED_STREAM))
    answer = before(serve, backend).get("/", method="POST", body=BODY, headers=[("Accept", "application/json")])
    assert (answer.status, '"reason":"upstream_refused"' in answer.text) == (502, True)
    assert 1 < len(backend.streams) < 10


def test_a_post_that_may_have_been_seen_is_not_sent_again(serve: Serve, backends: Start) -> None:
    one, two = backends("one", always(INTERNAL_ERROR)), backends("two", always(INTERNAL_ERROR))
    gateway = before(serve, one, two)
    for number in range(4):
        assert gateway.get(f"/{number}", method="POST", body=BODY).status == 502
    asked = sorted(stream.headers[":path"] for stream in one.streams + two.streams)
    assert asked == [f"/{number}" for number in range(4)]
