"""What a client sends and what the backend then receives: exactly the expected bytes or none, split at every byte."""

from __future__ import annotations

import pytest

from tests.support import corpus
from tests.support.backend import Backend, Exchange
from tests.support.client import RawClient
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.http1 import Closed
from tests.support.manifests import Rule, ingress, service
from tests.support.split import places, sent_split

HOST = b"Host: a.example\r\nX-Request-ID: 1\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"


def told(gateway: Served, host: bytes = b"a.example") -> bytes:
    """The lines that the gateway adds."""
    shown = b"X-Forwarded-Host: " + host + b"\r\n" if host else b""
    return (
        b"X-Request-ID: 1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n"
        + shown
        + f"X-Forwarded-Port: {gateway.http[1]}\r\n".encode()
        + b"X-Forwarded-Proto: http\r\nX-Forwarded-Scheme: http\r\nX-Scheme: http\r\n"
    )


# What is sent, and what the backend receives: %T stands for the lines that the gateway adds.
FORWARDED: dict[str, tuple[bytes, bytes]] = {
    "a plain request": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Accept: x\r\n\r\n",
        b"GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nAccept: x\r\n%T\r\n",
    ),
    "a length": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"content-length: 0005\r\nX: y\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nHost: a.example\r\nX: y\r\n%TContent-Length: 5\r\n\r\nhello",
    ),
    "chunks, extensions, trailers": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n"
        b"5;n=v\r\nhello\r\n0A\r\n 123456789\r\n00;last\r\nX-Sum: 7\r\nCookie: no\r\n\r\n",
        (
            b"POST /a HTTP/1.1\r\nHost: a.example\r\n%TTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\na\r\n 123456789\r\n0\r\nX-Sum: 7\r\n\r\n"
        ),
    ),
    "HTTP/1.0": (
        b"GET /a HTTP/1.0\r\n" + HOST + b"\r\n",
        b"GET /a HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
    "HTTP/1.0 with a body, kept": (
        b"POST /a HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /a HTTP/1.1\r\nHost: a.example\r\n%TContent-Length: 2\r\n\r\nhi",
    ),
    "absolute form": (
        b"GET http://a.example/x?y HTTP/1.1\r\nHost: b.example\r\nX-Request-ID: 1\r\n\r\n",
        b"GET /x?y HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
    "absolute form without a path": (
        b"GET HTTP://a.example?y HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /?y HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
    "hop-by-hop": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: X-Mine, keep-alive, Host\r\nX-Mine: 1\r\nKeep-Alive: 2\r\n"
        b"Proxy-Connection: 3\r\nProxy-Authorization: 4\r\nTE: gzip, trailers\r\nUpgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\n%T\r\n",
    ),
    "underscores and what a client may not say": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X_Forwarded_For: 1\r\nX-Forwarded_For: 2\r\nssl-client-verify: SUCCESS\r\n"
        b"Proxy: 3\r\nX-Forwarded-Server: 4\r\nForwarded: for=5\r\nX-Real-IP: 6\r\nX-Mine: 7\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Mine: 7\r\n%T\r\n",
    ),
    "an encoded path": (
        b"GET /%41/%7e%2F/./b/../c;d=%20?%00=%zz HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /%41/%7e%2F/./b/../c;d=%20?%00=%zz HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
    "bytes above ASCII in a value": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X:\t caf\xc3\xa9\tz \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nX: caf\xc3\xa9\tz\r\n%T\r\n",
    ),
    "a body that looks like a request": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        b"POST / HTTP/1.1\r\nHost: a.example\r\n%TContent-Length: " + b"%d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    ),
    "an empty line in front": (
        b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
    "any method": (
        b"PROPFIND /a HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PROPFIND /a HTTP/1.1\r\nHost: a.example\r\n%T\r\n",
    ),
}

# Each of these is refused, and so is whatever a client sends behind it.
REFUSED: dict[str, bytes] = {
    "CL.TE": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "TE.CL": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
    "TE.TE": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n",
    "TE behind a tab": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "TE folded": b"POST / HTTP/1.1\r\n" + HOST + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE with a space before the colon": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE ended by a bare LF": b"POST / HTTP/1.1\r\n" + HOST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a NUL in a name": b"GET / HTTP/1.1\r\n" + HOST + b"X\0: y\r\n\r\n",
    "CL.CL": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
    "a dot segment behind an escape": b"GET /a/%2e%2e%2fb HTTP/1.1\r\n" + HOST + b"\r\n",
    "an encoded NUL in the path": b"GET /a%00b HTTP/1.1\r\n" + HOST + b"\r\n",
    "an upgrade with chunks": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: gzip\r\n\r\n",
}


def echo_target(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.answer(200, exchange.request.target.encode())


def serving(serve: Serve, backend: Backend) -> Served:
    return serve(service("web", backend), ingress("web", Rule("web")))


def only_whole(received: bytes, wanted: list[bytes]) -> int:
    """How many of `wanted` these bytes are, one after the other; anything else among them is an error."""
    count = 0
    while received:
        found = next((each for each in wanted if received.startswith(each)), None)
        assert found is not None, f"the backend received {received[:400]!r}, none of {wanted!r}"
        received = received[len(found) :]
        count += 1
    return count


@pytest.mark.parametrize("case", list(FORWARDED))
def test_the_backend_receives_the_expected_bytes(serve: Serve, backends: Backends, case: str) -> None:
    backend = backends("web")
    gateway = serving(serve, backend)
    sent, expected = FORWARDED[case]
    wanted = [expected.replace(b"%T", told(gateway))]
    with sent_split(gateway.http, sent) as clients:
        assert [client.response().status for client in clients] == [200] * len(clients)
    counts = [only_whole(bytes(connection.received), wanted) for connection in backend.connections]
    assert sum(counts) == len(places(len(sent)))


def test_pipelined_requests_reach_the_backend_one_by_one(serve: Serve, backends: Backends) -> None:
    backend = backends("web", echo_target)
    gateway = serving(serve, backend)
    chunked = b"Transfer-Encoding: chunked\r\n"
    sent = (
        (b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n")
        + (b"POST /2 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nGET")
        + (b"POST /3 HTTP/1.1\r\n" + HOST + chunked + b"\r\n3\r\nGET\r\n0\r\n\r\n")
        + (b"GET /4 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + SMUGGLED)
    )
    start, lines = b" HTTP/1.1\r\nHost: a.example\r\n", told(gateway)
    wanted = [
        b"GET /1" + start + lines + b"\r\n",
        b"POST /2" + start + lines + b"Content-Length: 3\r\n\r\nGET",
        b"POST /3" + start + lines + chunked + b"\r\n3\r\nGET\r\n0\r\n\r\n",
        b"GET /4" + start + lines + b"\r\n",
    ]
    with sent_split(gateway.http, sent) as clients:
        for client in clients:
            assert [client.response().text for _ in wanted] == ["/1", "/2", "/3", "/4"]
            assert client.is_closed()
    counts = [only_whole(bytes(connection.received), wanted) for connection in backend.connections]
    assert sum(counts) == len(wanted) * len(places(len(sent)))


@pytest.mark.parametrize("case", list(REFUSED))
def test_the_backend_receives_none_of_it(serve: Serve, backends: Backends, case: str) -> None:
    backend = backends("web")
    gateway = serving(serve, backend)
    sent = REFUSED[case] + SMUGGLED
    with sent_split(gateway.http, sent) as clients:
        for client in clients:
            answer = client.response()
            assert (answer.status // 100, answer.header("connection")) == (4, "close")
            assert client.rest() == b""
    assert backend.received == b""


def test_the_whole_corpus_of_requests_is_refused_or_forwarded_on_the_wire_too(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serving(serve, backend)
    for case in corpus.cases("requests"):
        if case.is_cut_short:
            continue
        seen = len(backend.received)
        with RawClient(gateway.http) as client:
            client.try_to_send(case.sent)
            answer = client.response(case.sent.partition(b" ")[0].decode("latin-1"))
        if case.head_is_refused:
            assert 400 <= answer.status < 506, case.about
            assert len(backend.received) == seen, case.about
        elif not case.body_is_refused:
            # 400 and 404: the path, which has rules of its own, and the asterisk, which no rule takes.
            assert answer.status in (200, 400, 404), f"{case.about}: {answer}"
    assert b"smuggled" not in backend.received


def test_the_whole_corpus_of_chunks_ends_there_on_the_wire_too(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serving(serve, backend)
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    for case in corpus.cases("chunks"):
        if case.is_cut_short:
            continue
        with RawClient(gateway.http) as client:
            client.try_to_send(head + case.sent + SMUGGLED)
            answer = client.response("POST")
            if " refused " in f" {case.outcome}":
                assert answer.status in (400, 431), case.about
                assert answer.header("connection") == "close", case.about
                assert client.rest() == b"", case.about
            elif " rest=" not in case.outcome:
                assert (answer.status, client.response().status) == (200, 200), case.about


def test_a_client_that_stops_within_a_message_leaves_no_whole_request_behind(serve: Serve, backends: Backends) -> None:
    whole: list[str] = []

    def note(exchange: Exchange) -> None:
        try:
            exchange.read_body()
        except Closed:
            exchange.close()
            return
        whole.append(exchange.request.target)
        exchange.answer()

    backend = backends("web", note)
    gateway = serving(serve, backend)
    sent = b"POST /cut HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for at in range(1, len(sent)):
        with RawClient(gateway.http) as client:
            client.send(sent[:at])
            client.finish_sending()
            assert client.rest() == b""
    gateway.until(lambda: backend.open_connections == 0)
    assert whole == []


def test_an_upgrade_reaches_the_backend_with_its_lines_and_nothing_else(serve: Serve, backends: Backends) -> None:
    agree = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

    def switch(exchange: Exchange) -> None:
        exchange.send(agree)
        assert exchange.reader.exactly(5) == b"hello"
        exchange.close()

    backend = backends("web", switch)
    gateway = serving(serve, backend)
    sent = (
        b"GET /ws HTTP/1.1\r\n"
        + HOST
        + b"Connection: keep-alive, Upgrade, X-Mine\r\nUpgrade: websocket\r\nX-Mine: 1\r\n\r\n"
        b"hello"
    )
    wanted = (
        b"GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
        + told(gateway)
        + b"Connection: upgrade\r\n\r\nhello"
    )
    with sent_split(gateway.http, sent) as clients:
        for client in clients:
            assert client.response().status == 101
            assert client.rest() == b""
    assert {bytes(connection.received) for connection in backend.connections} == {wanted}
