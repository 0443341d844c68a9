from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from typing import Any

import pytest
import trustme
from aiohttp import web

from fastingress.api import APPLY, ApiError, Unreachable
from fastingress.sources.cluster.client import open_socket
from fastingress.sources.cluster.identity import Identity, Loaded
from fastingress.sources.cluster.transport import Connection, Refused, Silent
from tests.unit.sources.cluster.script import Given, Server, answer, hang, run, serving, status, stream, until


async def lines_until_it_breaks(connection: Connection) -> tuple[list[bytes], Unreachable | None]:
    found: list[bytes] = []
    try:
        async with connection.lane("watch").lines("/watch", silent=5.0) as lines:
            async for line in lines:
                found.append(line)  # noqa: PERF401 - what came before it broke counts
    except Unreachable as error:
        return found, error
    return found, None


@contextlib.asynccontextmanager
async def raw_server(*parts: bytes, reset: bool = False) -> Any:
    """Sends these bytes to who connects, whatever it is asked, and closes."""

    served: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        await reader.read(1)
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0.01)
        if reset:
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    given = Given(Identity(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    connection = Connection(given, await given.load(force=False))
    try:
        yield connection
    finally:
        await connection.close()
        server.close()
        await asyncio.gather(*filter(None, served), return_exceptions=True)


def test_a_call_says_who_it_is_and_asks_for_plain_bytes() -> None:
    async def test() -> None:
        async with serving(answer(b"here")) as (server, connection):
            body = {"spec": {"a": 1}}
            api = connection.lane("write")
            query = [("fieldManager", "a b"), ("fieldSelector", "type!=x/y,a=b")]
            assert await api.call("PATCH", "/things/a", query=query, body=body, content_type=APPLY) == b"here"
            request = server.requests[0]
            assert request.headers["Accept-Encoding"] == "identity"
            assert request.headers["User-Agent"].startswith("fastingress/")
            assert request.content_type == APPLY
            assert dict(request.query) == dict(query)
            assert request.method == "PATCH"

    run(test())


def test_a_refusal_is_an_error_with_all_it_says() -> None:
    async def test() -> None:
        async with serving(status(403, "Forbidden", "you may not", {"Retry-After": "4"})) as (_, connection):
            with pytest.raises(ApiError) as caught:
                await connection.lane("read").call("GET", "/things")
            error = caught.value
            assert (error.status, error.reason, error.message, error.retry_after) == (
                403,
                "Forbidden",
                "you may not",
                4,
            )
            with pytest.raises(ApiError):
                async with connection.lane("watch").lines("/things", silent=5.0):
                    raise AssertionError

    run(test())


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (b"SSH-2.0-OpenSSH_9.9\r\n",),
        (b"\x15\x03\x03\x00\x02\x02\x28" * 100,),
        (b"HTTP/1.1 999999 What\r\n\r\n",),
        (HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n",),
        (HEAD + b"Content-Length: 10\r\n\r\nhal",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",),
        (b"",),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_garbage_and_half_answers_are_unreachable_and_nothing_else(parts: tuple[bytes, ...], reset: bool) -> None:
    async def test() -> None:
        async with raw_server(*parts, reset=reset) as connection:
            with pytest.raises(Unreachable) as caught:
                await connection.lane("read").call("GET", "/things", timeout=5.0)
            assert str(caught.value).startswith("GET /things: ")
            assert "400" not in str(caught.value)
        async with raw_server(*parts, reset=reset) as connection:
            found, error = await lines_until_it_breaks(connection)
            assert error is not None
            assert found == []

    run(test())


def test_no_answer_is_noticed_in_the_time_given() -> None:
    async def test() -> None:
        async with serving(hang) as (_, connection):
            with pytest.raises(Silent):
                await connection.lane("read").call("GET", "/things", timeout=0.1)
            with pytest.raises(Silent):
                async with connection.lane("watch").lines("/things", silent=0.1):
                    raise AssertionError

    run(test())


def test_a_port_that_nobody_listens_on_is_refused_by_name() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        given = Given(Identity(f"http://127.0.0.1:{port}"))
        connection = Connection(given, await given.load(force=False))
        with pytest.raises(Refused, match=rf"GET /things: http://127.0.0.1:{port}: .*refused"):
            await connection.lane("read").call("GET", "/things")
        await connection.close()

    run(test())


def test_lines_come_whole_whatever_the_chunks_and_their_length() -> None:
    long = b"x" * (3 << 20)

    async def test() -> None:
        async with serving(stream(b"a\nb", b"c\n\n", long, b"\n", b"d\n", then="end")) as (_, connection):
            assert await lines_until_it_breaks(connection) == ([b"a", b"bc", long, b"d"], None)

    run(test())


def test_a_line_cut_in_half_is_not_a_line() -> None:
    async def test() -> None:
        async with serving(stream(b"whole\n", b"hal", then="end")) as (_, connection):
            found, error = await lines_until_it_breaks(connection)
            assert found == [b"whole"]
            assert "within a line" in str(error)

    run(test())


def test_a_stream_that_falls_silent_is_noticed_and_one_that_was_reset_too() -> None:
    async def test() -> None:
        async with serving(stream(b"a\n"), stream(b"a\n", then="reset")) as (_, connection):
            for kind in (Silent, Unreachable):
                async with connection.lane("watch").lines("/watch", silent=0.2) as lines:
                    assert await lines.__anext__() == b"a"
                    with pytest.raises(kind):
                        await lines.__anext__()

    run(test())


def test_what_the_reader_of_lines_raises_stays_what_it_is() -> None:
    async def test() -> None:
        async with serving(stream(b"a\n")) as (_, connection):

            async def trip() -> None:
                async with connection.lane("watch").lines("/watch", silent=5.0) as lines:
                    async for _line in lines:
                        raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await trip()

    run(test())


def test_a_connection_is_used_again_after_answers_and_refusals() -> None:
    async def test() -> None:
        steps = [answer(b"1"), status(404, message="none"), answer(b"2"), answer(b"")]
        async with serving(*steps) as (server, connection):
            api = connection.lane("write", connections=1)
            await api.call("GET", "/a")
            with pytest.raises(ApiError):
                await api.call("GET", "/b")
            await api.call("GET", "/c")
            await api.call("GET", "/d")
            assert len({id(request.protocol) for request in server.requests}) == 1

    run(test())


def test_watches_do_not_take_the_connections_of_another_lane() -> None:
    async def by_path(request: web.Request) -> web.StreamResponse:
        return await (stream(b"a\n") if request.path == "/watch" else answer(b"renewed"))(request)

    async def test() -> None:
        async with serving(by_path) as (_, connection):
            watches, lease = connection.lane("watch", connections=1), connection.lane("lease", connections=1)
            async with watches.lines("/watch", silent=5.0) as lines:
                await lines.__anext__()
                assert await lease.call("GET", "/lease", timeout=5.0) == b"renewed"
                with pytest.raises(Unreachable):
                    await watches.call("GET", "/lease", timeout=0.2)

    run(test())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def test() -> None:
        async with serving(answer(b"direct")) as (_, connection):
            assert await connection.lane("read").call("GET", "/a") == b"direct"

    run(test())


def test_a_token_that_was_replaced_is_read_again_when_the_old_one_is_refused() -> None:
    async def guarded(request: web.Request) -> web.StreamResponse:
        good = request.headers.get("Authorization") == "Bearer new"
        return await (answer(b"in") if good else status(401, "Unauthorized"))(request)

    async def test() -> None:
        async with serving(guarded) as (server, _):
            old = Identity(server.url, "Bearer old")
            given = Given(old, replace(old, authorization="Bearer new"))
            connection = Connection(given, await given.load(force=False))
            assert await connection.lane("a").call("POST", "/a", body={"n": 1}) == b"in"
            assert await connection.lane("b").call("GET", "/b") == b"in"
            assert (len(server.requests), given.forced) == (3, 1)
            await connection.close()

    run(test())


def test_a_token_that_stays_refused_is_not_asked_for_at_every_call() -> None:
    async def test() -> None:
        now = 0.0
        async with serving(status(401, "Unauthorized", "who?")) as (server, _):
            given = Given(Identity(server.url, "Bearer old"))
            connection = Connection(given, await given.load(force=False), clock=lambda: now)
            for _ in range(5):
                with pytest.raises(ApiError, match=r"401: who\?"):
                    await connection.lane("a").call("GET", "/a")
            assert (given.forced, len(server.requests)) == (1, 5)
            now = 100.0
            with pytest.raises(ApiError):
                await connection.lane("a").call("GET", "/a")
            assert given.forced == 2
            await connection.close()

    run(test())


def test_credentials_that_take_long_to_load_again_keep_nobody_waiting() -> None:
    class Slow(Given):
        loading = asyncio.Event()

        async def load(self, *, force: bool) -> Loaded:
            await self.loading.wait()
            return await super().load(force=force)

    async def test() -> None:
        async with serving(answer(b"in")) as (server, _):
            given = Slow(Identity(server.url, "Bearer new"))
            connection = Connection(given, Loaded(Identity(server.url, "Bearer old"), 0.0))
            for _attempt in range(2):
                assert await connection.lane("a").call("GET", "/a", timeout=5.0) == b"in"
                assert server.requests[-1].headers["Authorization"] == "Bearer old"
            given.loading.set()
            await until(lambda: connection._loading is not None and connection._loading.done())
            await connection.lane("a").call("GET", "/a")
            assert server.requests[-1].headers["Authorization"] == "Bearer new"
            await connection.close()

    run(test())


def test_an_authority_that_was_replaced_is_read_again_when_the_server_is_not_trusted() -> None:
    old, new = trustme.CA(), trustme.CA()

    async def test() -> None:
        import ssl

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        new.issue_cert("127.0.0.1").configure_cert(tls)
        async with serving(answer(b"in"), tls=tls) as (server, _):
            before = Identity(server.url, ca=old.cert_pem.bytes().decode())
            given = Given(before)
            connection = Connection(given, await given.load(force=False))
            with pytest.raises(Refused, match="certificate is not trusted"):
                await connection.lane("a").call("GET", "/a")
            await connection.close()
            given = Given(before, replace(before, ca=new.cert_pem.bytes().decode()))
            connection = Connection(given, await given.load(force=False))
            assert await connection.lane("a").call("GET", "/a") == b"in"
            await connection.close()

    run(test())


def test_certificates_that_change_leave_what_is_under_way_alone() -> None:
    async def test() -> None:
        async with serving(stream(b"a\n"), stream(b"b\n"), answer(b"in")) as (server, _):
            now = 0.0
            first = Identity(server.url)
            given = Given(first)
            connection = Connection(given, await given.load(force=False), clock=lambda: now)
            api = connection.lane("a")
            async with api.lines("/watch", silent=5.0) as lines:
                assert await lines.__anext__() == b"a"
                shorter = api.lines("/watch", silent=5.0)
                assert await (await shorter.__aenter__()).__anext__() == b"b"
                given.identities = [replace(first, server_name="other")]
                now = 1e10
                assert await api.call("GET", "/a") == b"in"
                await shorter.__aexit__(None, None, None)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(lines.__anext__(), 0.1)
            await connection.close()

    run(test())


def test_sockets_notice_dead_peers() -> None:
    with open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 5
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


def test_a_server_that_comes_back_is_reached_again() -> None:
    async def test() -> None:
        server = Server(answer(b"in"))
        await server.start()
        given = Given(Identity(server.url))
        connection = Connection(given, await given.load(force=False))
        api = connection.lane("a")
        assert await api.call("GET", "/a") == b"in"
        await server.stop()
        with pytest.raises(Unreachable):
            await api.call("GET", "/a")
        await server.start()
        assert await api.call("GET", "/a") == b"in"
        await connection.close()
        await server.stop()

    run(test())
