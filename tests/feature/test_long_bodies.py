"""Long bodies of HTTP/1 between plain sockets: where they end, what is counted, what comes after."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.process import Process

MIB = 1 << 20
BODY = bytes(range(251)) * (4 * MIB // 251)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
MORE_THAN_SOCKETS_HOLD = 64 * MIB


def _echo(exchange: Exchange) -> None:
    """Gives a long body back, or one of its own."""
    exchange.answer(200, exchange.read_body() or BODY)


def _lines(process: Process, count: int) -> list[dict[str, Any]]:
    output = process.output
    assert output is not None
    process.until(lambda: len(output.lines) >= count)
    return [json.loads(line) for line in output.lines[:count]]


def _ingress(**annotations: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in annotations.items()}
    return ingress("web", Rule("web"), annotations={"proxy-body-size": "0", **named})


def test_connections_are_used_again_after_long_bodies(spawn: Spawn, backends: Backends) -> None:
    web = backends("web", _echo)
    gateway = spawn(service("web", web), _ingress(), workers=1)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    with RawClient(gateway.http) as client:
        for _ in range(2):
            assert client.send(request_bytes()).response().body == BODY
            for method in ("POST", "PUT"):
                assert client.send(request_bytes(method, body=BODY)).response().body == BODY
            client.send(request_bytes("POST", headers=[("Transfer-Encoding", "chunked")], body=chunked))
            assert client.response().body == BODY
    assert len(web.connections) == 1


def test_a_request_behind_a_long_body_is_the_next_one(spawn: Spawn, backends: Backends) -> None:
    web = backends("web", _echo)
    gateway = spawn(service("web", web), _ingress())
    with RawClient(gateway.http) as client:
        client.send(request_bytes("POST", "/1", body=BODY) + request_bytes("POST", "/2", body=b"short"))
        assert client.response().body == BODY
        assert client.response().body == b"short"
    assert web.targets() == ["/1", "/2"]


def test_every_byte_of_a_long_body_is_in_the_access_log(spawn: Spawn, backends: Backends) -> None:
    gateway = spawn(service("web", backends("web", _echo)), _ingress(), access_log="json")
    sent = request_bytes("POST", body=BODY)
    with RawClient(gateway.http) as client:
        client.send(sent).response()
        came = len(client.reader.received)
    (line,) = _lines(gateway, 1)
    assert (line["bytes_in"], line["bytes_out"]) == (len(sent), came)


def test_a_long_answer_that_its_backend_breaks_off_is_cut(spawn: Spawn, backends: Backends) -> None:
    def half(exchange: Exchange) -> None:
        exchange.send(HEAD % (2 * len(BODY)) + BODY)
        exchange.close()

    gateway = spawn(service("web", backends("web", half)), _ingress(), access_log="json")
    with RawClient(gateway.http) as client:
        came = client.send(request_bytes()).rest()
    assert came.endswith(b"\r\n\r\n" + BODY)
    (line,) = _lines(gateway, 1)
    assert (line["status"], line["reason"], line["bytes_out"]) == (200, "upstream_gone", len(came))


def test_a_client_that_goes_away_ends_a_long_answer(spawn: Spawn, backends: Backends) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.send(HEAD % MORE_THAN_SOCKETS_HOLD)
        while True:
            exchange.send(BODY)

    web = backends("web", endless)
    gateway = spawn(service("web", web), _ingress(), access_log="json")
    with RawClient(gateway.http) as client:
        client.send(request_bytes())
        assert client.reader.head()
        client.reader.exactly(len(BODY))
    (line,) = _lines(gateway, 1)
    assert (line["status"], line["reason"]) == (200, "client_gone")
    assert len(BODY) < line["bytes_out"] < MORE_THAN_SOCKETS_HOLD
    gateway.until(lambda: web.open_connections == 0)


def test_a_client_that_goes_away_ends_a_long_upload(spawn: Spawn, backends: Backends) -> None:
    web = backends("web", _echo)
    gateway = spawn(service("web", web), _ingress(), access_log="json")
    sent = request_bytes("POST", headers=[("X-Long", "1")], body=BODY)
    with RawClient(gateway.http) as client:
        client.send(sent[:-1000])
    (line,) = _lines(gateway, 1)
    assert (line["reason"], line["bytes_in"]) == ("client_gone", len(sent) - 1000)
    gateway.until(lambda: web.open_connections == 0)
    assert web.received.endswith(BODY[:-1000])


def test_a_client_that_takes_no_more_of_a_long_answer_is_not_waited_for(spawn: Spawn, backends: Backends) -> None:
    def long(exchange: Exchange) -> None:
        exchange.answer(200, bytes(MORE_THAN_SOCKETS_HOLD))

    web = backends("web", long)
    gateway = spawn(service("web", web), _ingress(), access_log="json", body_timeout="300ms")
    with RawClient(gateway.http, receive_buffer=1 << 16) as client:
        client.send(request_bytes())
        (line,) = _lines(gateway, 1)
    assert (line["status"], line["reason"]) == (200, "client_timeout")
    assert 0 < line["bytes_out"] < MORE_THAN_SOCKETS_HOLD


def test_a_backend_that_takes_no_more_of_a_long_upload_is_not_waited_for(spawn: Spawn, backends: Backends) -> None:
    over = threading.Event()

    def stubborn(exchange: Exchange) -> None:
        assert over.wait(60)
        exchange.close()

    gateway = spawn(service("web", backends("web", stubborn)), _ingress(proxy_send_timeout="1"), access_log="json")
    with RawClient(gateway.http, timeout=60) as client:
        client.try_to_send(request_bytes("POST", body=bytes(MORE_THAN_SOCKETS_HOLD)))
        (line,) = _lines(gateway, 1)
    over.set()
    assert (line["status"], line["reason"]) == (504, "upstream_send_timeout")
    assert 0 < line["bytes_in"] < MORE_THAN_SOCKETS_HOLD


def test_a_backend_that_stops_in_a_long_answer_is_not_waited_for(spawn: Spawn, backends: Backends) -> None:
    def half(exchange: Exchange) -> None:
        exchange.send(HEAD % (2 * len(BODY)) + BODY)
        exchange.wait_for_close()

    gateway = spawn(service("web", backends("web", half)), _ingress(proxy_read_timeout="1"), access_log="json")
    with RawClient(gateway.http) as client:
        client.send(request_bytes())
        assert client.rest().endswith(BODY)
    (line,) = _lines(gateway, 1)
    assert (line["status"], line["reason"]) == (200, "upstream_read_timeout")


def test_what_a_backend_says_behind_a_long_answer_is_nobodys_answer(spawn: Spawn, backends: Backends) -> None:
    def two_at_once(exchange: Exchange) -> None:
        exchange.send(HEAD % len(BODY) + BODY + HEAD % 5 + b"wrong")

    web = backends("web", two_at_once)
    gateway = spawn(service("web", web), _ingress(), workers=1)
    with RawClient(gateway.http) as client:
        for _ in range(3):
            assert client.send(request_bytes()).response().body == BODY
    assert len(web.connections) == 3
