"""The byte-level corpus of HTTP/1, sent as HTTP/2: nothing reaches a backend that HTTP/1 would have refused.

What does reach one is judged by HTTP/1 itself: it is sent again, byte by byte, to a gateway's HTTP/1 port.
"""

from __future__ import annotations

import pytest

from tests.support import corpus
from tests.support.backend import Backend, Exchange
from tests.support.client import RawClient
from tests.support.fixtures import Backends, Serve
from tests.support.frames import Answer, Fields, H2Client, request_fields
from tests.support.gateway import Served
from tests.support.http1 import Message, Request
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.support.translated import translated

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
HOST = b"test.example"

ABOUT_LINES = frozenset(
    {"bad_start_line", "bad_version", "missing_host", "bad_connection", "bare_lf", "space_before_colon", "obs_fold"}
)
"""Rules about the form of lines, or of HTTP/1's first line, of which nothing may be left in HTTP/2."""


CUT_OFF = frozenset({"a fragment", "a pseudo-header field"})
"""What is gone before anyone of us sees it."""


def changed(**pseudo: bytes) -> list[tuple[bytes, bytes]]:
    """A request with other pseudo-header fields."""
    return [(name, pseudo.get(name[1:].decode(), value)) for name, value in request_fields()]


def without(*names: bytes) -> list[tuple[bytes, bytes]]:
    """A request that lacks some."""
    return [pair for pair in request_fields() if pair[0] not in names]


def plus(*more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """A request with more fields."""
    return request_fields(more=more)


REFUSED: dict[str, list[tuple[bytes, bytes]]] = {
    # names
    "an empty name": plus((b"", b"x")),
    "a name in upper case": plus((b"X-Mine", b"x")),
    "a name with a space": plus((b"x mine", b"x")),
    "a name with a space behind it": plus((b"transfer-encoding ", b"chunked")),
    "a name with a colon": plus((b"x:y", b"x")),
    "a name that holds a line": plus((b"x: y\r\nsmuggled", b"x")),
    "a name with LF": plus((b"x\nsmuggled", b"x")),
    "a name with NUL": plus((b"x\0", b"x")),
    # values
    "a value that holds a line": plus((b"x", b"y\r\nsmuggled: x")),
    "a value that ends a head": plus((b"x", b"y\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")),
    "a value with LF": plus((b"x", b"y\nsmuggled: x")),
    "a value with CR": plus((b"x", b"y\rsmuggled: x")),
    "a value with NUL": plus((b"x", b"y\0smuggled")),
    "a value with a space in front": plus((b"x", b" y")),
    "a value with a space behind it": plus((b"x", b"y ")),
    "a value with a tab in front": plus((b"x", b"\ty")),
    # framing
    "two lengths": plus((b"content-length", b"5"), (b"content-length", b"6")),
    "the same length twice": plus((b"content-length", b"5"), (b"content-length", b"5")),
    "a length list": plus((b"content-length", b"5, 5")),
    "a negative length": plus((b"content-length", b"-1")),
    "a signed length": plus((b"content-length", b"+5")),
    "a length in hexadecimal": plus((b"content-length", b"0x5")),
    "an empty length": plus((b"content-length", b"")),
    "a huge length": plus((b"content-length", b"99999999999999999999")),
    "a length of 5 and no body": plus((b"content-length", b"5")),
    "Transfer-Encoding": plus((b"transfer-encoding", b"chunked")),
    "Transfer-Encoding: identity": plus((b"transfer-encoding", b"identity")),
    "Transfer-Encoding behind a control character": plus((b"transfer-encoding", b"\x0bchunked")),
    # what belongs to one connection
    "Connection": plus((b"connection", b"close")),
    "Connection that names a field": plus((b"connection", b"x-mine"), (b"x-mine", b"1")),
    "Keep-Alive": plus((b"keep-alive", b"5")),
    "Proxy-Connection": plus((b"proxy-connection", b"keep-alive")),
    "Upgrade": plus((b"upgrade", b"websocket")),
    "Upgrade to h2c": plus((b"upgrade", b"h2c"), (b"http2-settings", b"")),
    "TE: gzip": plus((b"te", b"gzip")),
    "TE: trailers, gzip": plus((b"te", b"trailers, gzip")),
    # who is meant
    "Host that differs from :authority": plus((b"host", b"other.example")),
    "two Hosts": [*without(b":authority"), (b"host", HOST), (b"host", HOST)],
    "neither Host nor :authority": without(b":authority"),
    "an empty Host": [*without(b":authority"), (b"host", b"")],
    "an authority with a user": changed(authority=b"user@test.example"),
    "an authority with a path": changed(authority=b"test.example/x"),
    "an authority with a space": changed(authority=b"test.example x"),
    "an authority with a line": changed(authority=b"test.example\r\nsmuggled: x"),
    "an authority with a comma": changed(authority=b"test.example,other.example"),
    "an authority with a bad port": changed(authority=b"test.example:http"),
    # the path
    "an empty path": changed(path=b""),
    "no slash": changed(path=b"a"),
    "a query alone": changed(path=b"?a"),
    "an absolute path": changed(path=b"http://other.example/"),
    "the asterisk with GET": changed(path=b"*"),
    "a space in the path": changed(path=b"/a b"),
    "a request line in the path": changed(path=b"/ HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled"),
    "a version in the path": changed(path=b"/ HTTP/1.1"),
    "LF in the path": changed(path=b"/a\nb"),
    "NUL in the path": changed(path=b"/a\0b"),
    "an encoded NUL in the path": changed(path=b"/a%00b"),
    "a dot segment behind an escape": changed(path=b"/a/%2e%2e%2fb"),
    "raw UTF-8 in the path": changed(path=b"/caf\xc3\xa9"),
    "a control character in the query": changed(path=b"/a?b\x01"),
    "a path of 20,000 bytes": changed(path=b"/" + b"x" * 20_000),
    # the method
    "an empty method": changed(method=b""),
    "a method with a space": changed(method=b"GET /smuggled HTTP/1.1\r\n"),
    "a method that is no token": changed(method=b"G(T"),
    "a method with NUL": changed(method=b"GET\0"),
    "a method of 65 bytes": changed(method=b"A" * 65),
    "CONNECT": [(b":method", b"CONNECT"), (b":authority", b"test.example:443")],
    "CONNECT with a path": changed(method=b"CONNECT"),
    # the scheme
    "a scheme with a line": changed(scheme=b"http\r\nsmuggled: x"),
    "a scheme that is none": changed(scheme=b"ht tp"),
    # pseudo-header fields
    "two methods": [*request_fields(), (b":method", b"POST")],
    "two paths": [(b":path", b"/smuggled"), *request_fields()],
    "two schemes": [(b":scheme", b"http"), *request_fields()],
    "two authorities": [(b":authority", b"other.example"), *request_fields()],
    "an unknown one": [(b":unknown", b"x"), *request_fields()],
    "that of an answer": [(b":status", b"200"), *request_fields()],
    "one behind a field": [*without(b":path"), (b"x", b"y"), (b":path", b"/smuggled")],
    "no method": without(b":method"),
    "no path": without(b":path"),
    "no scheme": without(b":scheme"),
    ":protocol without CONNECT": [*request_fields(), (b":protocol", b"websocket")],
    # an upgrade that is none
    "extended CONNECT to h2c": [*changed(method=b"CONNECT"), (b":protocol", b"h2c")],
    "extended CONNECT to TLS": [*changed(method=b"CONNECT"), (b":protocol", b"TLS/1.2")],
    "extended CONNECT to a line": [*changed(method=b"CONNECT"), (b":protocol", b"websocket\r\nsmuggled: x")],
    # other
    "an unknown expectation": plus((b"expect", b"the-unexpected")),
    "300 fields": plus(*((b"x-%d" % number, b"y") for number in range(300))),
    "a field of 70,000 bytes": plus((b"x", b"y" * 70_000)),
}

TRAILERS: dict[str, tuple[bytes, bytes]] = {
    "a pseudo-header field": (b":path", b"/smuggled"),
    "Content-Length": (b"content-length", b"5"),
    "Transfer-Encoding": (b"transfer-encoding", b"chunked"),
    "Host": (b"host", b"smuggled.example"),
    "Connection": (b"connection", b"smuggled"),
    "a name with a space": (b"x smuggled", b"y"),
    "a name in upper case": (b"X-Smuggled", b"y"),
    "a value that holds a line": (b"x", b"y\r\nsmuggled: z"),
    "a value that ends the message": (b"x", b"y\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a value with NUL": (b"x", b"smuggled\0"),
}

# As HTTP/1 sends them; `host` is added.
SAME: dict[str, tuple[str, str, list[tuple[str, str]], bytes]] = {
    "a plain request": ("GET", "/a?b=c", [("accept", "x")], b""),
    "a body": ("POST", "/a", [("content-type", "text/plain")], b"hello"),
    "an encoded path": ("GET", "/%41/%7e%2F/./b/../c;d=%20?%00=%zz", [], b""),
    "any method": ("PROPFIND", "/a", [], b""),
    "underscores and what a client may not say": (
        "GET",
        "/",
        [
            ("x_forwarded_for", "1"),
            ("ssl-client-verify", "SUCCESS"),
            ("proxy", "2"),
            ("forwarded", "for=5"),
            ("x-forwarded-for", "3"),
            ("x-real-ip", "6"),
            ("x-mine", "7"),
        ],
        b"",
    ),
    "TE: trailers": ("GET", "/", [("te", "trailers")], b""),
    "one field twice": ("GET", "/", [("x", "1"), ("y", "2"), ("x", "3")], b""),
    "an empty value": ("GET", "/", [("x", "")], b""),
    "a body that looks like a request": ("POST", "/", [], b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"),
    "characters that browsers leave as they are": ("GET", '/a|b"^{}[]\\?x=[y]|^{}', [], b""),
}


def take(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.answer(200, b"taken")


@pytest.fixture
def backend(backends: Backends) -> Backend:
    return backends("web", take)


@pytest.fixture
def gateway(serve: Serve, backend: Backend) -> Served:
    return serve(*_manifests(backend), h2c=True)


@pytest.fixture
def judge(serve: Serve, gateway: Served) -> Served:
    """Another one, with the same manifests in front of the same backend, which is asked over HTTP/1."""
    return serve(h2c=True)


def _manifests(backend: Backend) -> list[Manifest]:
    return [service("web", backend), ingress("web", Rule("web"))]


def ask(gateway: Served, fields: Fields, body: bytes = b"", trailers: Fields = ()) -> tuple[Answer, str]:
    """On a connection of its own: what came, and the code of a GOAWAY."""
    with H2Client(gateway.http) as client:
        answer = client.ask(fields, body, trailers)
        return answer, client.goaway


def is_refused(answer: Answer, goaway: str) -> bool:
    """By a status, a reset or a farewell."""
    return 400 <= answer.status < 600 or bool(answer.reset) or goaway not in ("", "NO_ERROR")


def test_what_http1_would_refuse_reaches_no_backend(gateway: Served, backend: Backend) -> None:
    wrong: dict[str, str] = {}
    for case, fields in REFUSED.items():
        before = len(backend.received)
        answer, goaway = ask(gateway, fields)
        if not is_refused(answer, goaway) or len(backend.received) > before:
            wrong[case] = f"{answer}, {backend.received[before:]!r}"
    assert wrong == {}


def test_it_reaches_none_with_a_body_either(gateway: Served, backend: Backend) -> None:
    wrong: dict[str, str] = {}
    for case, fields in REFUSED.items():
        posted = [(name, b"POST" if (name, value) == (b":method", b"GET") else value) for name, value in fields]
        before = len(backend.received)
        answer, goaway = ask(gateway, posted, b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        if not is_refused(answer, goaway) or b"smuggled" in backend.received[before:]:
            wrong[case] = f"{answer}, {backend.received[before:]!r}"
    assert wrong == {}
    assert all(request.body == b"" for request in backend.requests)


def test_a_fragment_is_cut_off(gateway: Served, backend: Backend) -> None:
    """HTTP/1 refuses it; here it is gone before anyone of us sees the path, and no backend does."""
    ask(gateway, changed(path=b"/a?b#c"))
    assert backend.targets() == ["/a?b"]


@pytest.mark.parametrize("place", ["name", "value", "path", "method", "authority"])
def test_each_byte_passes_or_does_not(gateway: Served, backend: Backend, place: str) -> None:
    wrong: list[str] = []
    for byte in range(256):
        one = bytes([byte])
        before = len(backend.requests)
        answer, goaway = ask(gateway, _with_byte(place, one))
        passed = len(backend.requests) > before
        if passed != (byte in PASSES[place]) and not (place == "name" and one == b"_"):
            wrong.append(f"{byte:#x} passed: {passed}, {answer.status} {answer.reset} {goaway}")
        if passed:
            _well_formed(backend.last)
    assert wrong == []


# A `%` begins an escape, a `#` a fragment. HTTP/1 lets `<`, `>` and a grave accent pass in a path, too.
PASSES: dict[str, frozenset[int]] = {
    "name": TOKEN,
    "value": frozenset([9, *range(0x20, 0x7F), *range(0x80, 0x100)]),
    "path": frozenset(range(0x21, 0x7F)) - frozenset(b"%<>`"),
    "method": TOKEN | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "authority": frozenset(b"-._~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
}


def _with_byte(place: str, one: bytes) -> list[tuple[bytes, bytes]]:
    match place:
        case "name":
            return plus((b"x" + one + b"y", b"z"))
        case "value":
            return plus((b"x", b"y" + one + b"z"))
        case "path":
            return changed(path=b"/a" + one + b"b")
        case "method":
            return changed(method=b"A" + one + b"B")
        case _:
            return changed(authority=b"a" + one + b"b.example")


def test_trailers_that_say_what_they_may_not_reach_no_backend(gateway: Served, backend: Backend) -> None:
    wrong: dict[str, str] = {}
    for case, trailer in TRAILERS.items():
        before = len(backend.received)
        answer, goaway = ask(gateway, changed(method=b"POST"), b"hello", [trailer])
        came = backend.received[before:]
        taken = not is_refused(answer, goaway) and case not in CUT_OFF
        if taken or b"smuggled" in came.lower() or b"\r\nHost: a\r\n" in came:
            wrong[case] = f"{answer}, {came!r}"
    assert wrong == {}
    assert not any(request.trailers for request in backend.requests)


def test_good_trailers_arrive(gateway: Served, backend: Backend) -> None:
    answer, _ = ask(gateway, changed(method=b"POST"), b"hello", [(b"x-sum", b"7")])
    assert answer.status == 200
    assert (backend.last.body, backend.last.trailers) == (b"hello", [("x-sum", "7")])


@pytest.mark.parametrize("body", [b"", b"four", b"sixsix"], ids=["none", "short", "long"])
def test_a_body_of_another_length_than_was_said_is_no_request(gateway: Served, backend: Backend, body: bytes) -> None:
    answer, goaway = ask(gateway, [*changed(method=b"POST"), (b"content-length", b"5")], body)
    assert is_refused(answer, goaway)
    assert all(len(request.body) < 5 for request in backend.requests)
    assert len(backend.requests) <= 1


@pytest.mark.parametrize("case", SAME)
def test_a_request_reaches_the_backend_as_over_http1(gateway: Served, backend: Backend, case: str) -> None:
    method, target, headers, body = SAME[case]
    assert gateway.get(target, method=method, headers=headers, body=body).status == 200
    more = [(name.encode(), value.encode()) for name, value in headers]
    if body:
        more.append((b"content-length", b"%d" % len(body)))
    answer, _ = ask(gateway, request_fields(target.encode(), method=method.encode(), more=more), body)
    assert answer.status == 200
    over_1, over_2 = backend.requests
    assert (over_2.start, over_2.body) == (over_1.start, over_1.body)
    assert _comparable(over_2) == _comparable(over_1)


def test_crumbs_of_cookies_become_one_line(gateway: Served, backend: Backend) -> None:
    ask(gateway, plus((b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")))
    assert backend.last.all("cookie") == ["a=1; b=2; c=3"]


def test_a_host_in_place_of_an_authority_is_enough(gateway: Served, backend: Backend) -> None:
    answer, _ = ask(gateway, [*without(b":authority"), (b"host", HOST)])
    assert answer.status == 200
    assert backend.last.all("host") == ["test.example"]


def test_nothing_of_the_corpus_gets_through_that_http1_refuses(
    gateway: Served, backend: Backend, judge: Served
) -> None:
    sent = 0
    wrong: list[str] = []
    for case in corpus.cases("requests"):
        try:
            request = translated(case.sent)
        except ValueError:
            continue  # not even the form of a head
        sent += 1
        # Of a request that is refused in its body the head may come to the backend when the next one is under way.
        mark = str(sent)
        answer, goaway = ask(gateway, [*request.fields, (b"x-case", mark.encode())], request.body, request.trailers)
        passed = [each for each in backend.requests if each.header("x-case") == mark]
        rule = case.outcome.removeprefix("refused ")
        if case.head_is_refused and rule not in ABOUT_LINES and case.about not in CUT_OFF and passed:
            wrong.append(f"{case.about}: refused as {rule} by HTTP/1, passed: {passed[0].raw_head!r}")
        if not passed and not is_refused(answer, goaway) and answer.status == 0:
            wrong.append(f"{case.about}: neither passed nor refused")
        for each in passed:
            _well_formed(each)
            if answer.status == 200 and not _is_taken_over_http1(judge, each):
                wrong.append(f"{case.about}: HTTP/1 would have refused {each.raw_head!r}")
    assert wrong == []
    assert sent > 100


def test_a_success_that_is_no_upgrade_opens_no_websocket(serve: Serve, backends: Backends) -> None:
    gateway = serve(*_manifests(backends("web", take)), h2c=True)
    fields = [*changed(method=b"CONNECT"), (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
    with H2Client(gateway.http) as client:
        answer = client.answer(client.start(fields, end=False))
        assert answer.status == 502


def _is_taken_over_http1(judge: Served, request: Request) -> bool:
    """Sends the very bytes, with the body framed anew."""
    body = request.body
    raw = request.raw_head
    if (request.header("transfer-encoding") or "") == "chunked":
        body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    with RawClient(judge.http) as client:
        return client.send(raw + body).response(request.method).status not in (400, 413, 414, 431, 501)


def _well_formed(request: Request) -> None:
    """By the book, and by no code of ours."""
    head = request.raw_head
    assert head.endswith(b"\r\n\r\n")
    assert b"\0" not in head
    assert head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n")
    assert len(request.all("host")) == 1
    lengths = request.all("content-length")
    codings = request.all("transfer-encoding")
    assert len(lengths) + len(codings) <= 1
    assert all(length.isascii() and length.isdigit() for length in lengths)
    assert codings in ([], ["chunked"])
    assert request.start[2] == "HTTP/1.1"
    for name, _ in request.headers:
        assert set(name.lower().encode("latin-1")) <= TOKEN


def _comparable(message: Message) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in message.headers if name.lower() != "x-request-id")
