"""The access log: one line a request on standard output, as JSON or text, off by flag or by route."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.support.client import request_bytes
from tests.support.fixtures import Backends, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.process import Process


def lines(process: Process, count: int) -> list[dict[str, Any]]:
    """The first `count` JSON lines, once there are so many."""
    output = process.output
    assert output is not None
    process.until(lambda: len(output.lines) >= count)
    return [json.loads(line) for line in output.lines[:count]]


def test_a_line_says_who_asked_what_and_who_answered(spawn: Spawn, backends: Backends) -> None:
    backend = backends("web")
    process = spawn(
        service("web", backend, namespace="team"),
        ingress("shop", Rule("web", "/x", host="shop.example.com"), namespace="team"),
        access_log="json",
    )
    process.get("/x?a=b", host="shop.example.com", headers=[("User-Agent", "test/1"), ("X-Request-ID", "id-1")])
    (line,) = lines(process, 1)
    expected = {
        "client": "127.0.0.1",
        "scheme": "http",
        "protocol": "HTTP/1.1",
        "method": "GET",
        "host": "shop.example.com",
        "path": "/x?a=b",
        "status": 200,
        "namespace": "team",
        "ingress": "shop",
        "rule": "rules[0].paths[0]",
        "service": "team/web:80",
        "endpoint": backend.endpoint,
        "request_id": "id-1",
        "user_agent": "test/1",
        "reason": None,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["bytes_out"] > 0
    assert line["duration_ms"] >= 0


def test_what_we_answer_ourselves_has_its_reason(spawn: Spawn) -> None:
    process = spawn(ingress("web", Rule("web", "/x")), access_log="json")
    process.get("/x")
    process.get("/unknown")
    reasons = {line["path"]: (line["status"], line["reason"]) for line in lines(process, 2)}
    assert reasons == {"/x": (503, "no_endpoints"), "/unknown": (404, "no_route")}


def test_a_client_cannot_forge_a_line(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), access_log="json")
    agent = 'x","status":999,"y":"\\'
    assert process.get("/", headers=[("User-Agent", agent)]).status == 200
    (line,) = lines(process, 1)
    assert (line["status"], line["user_agent"]) == (200, agent)


def test_text_is_one_line_too(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), access_log="text")
    process.get("/x")
    assert process.output is not None
    line = process.output.line("GET")
    for part in ('"GET http://test.example/x HTTP/1.1" 200', "ingress=default/web", "service=default/web:80"):
        assert part in line


def test_it_can_be_switched_off_by_route(spawn: Spawn, backends: Backends) -> None:
    process = spawn(
        service("web", backends("web")),
        ingress("quiet", Rule("web", "/quiet"), annotations={"enable-access-log": "false"}),
        ingress("web", Rule("web")),
        access_log="json",
    )
    assert process.get("/quiet").status == 200
    assert process.get("/loud").status == 200
    assert [line["path"] for line in lines(process, 1)] == ["/loud"]


def test_a_blocked_reader_blocks_no_request_and_no_shutdown(spawn: Spawn, backends: Backends) -> None:
    reading, writing = os.pipe()
    try:
        process = spawn(
            service("web", backends("web")),
            ingress("web", Rule("web")),
            access_log="json",
            shutdown_delay=0,
            stdout=writing,
        )
        os.close(writing)
        long = "/" + "x" * 8000
        with process.connect() as client:

            def a_line_was_dropped() -> bool:
                for _ in range(100):
                    assert client.send(request_bytes(target=long)).response().status == 200
                return process.metrics().sum("fastingress_access_log_dropped_total") > 0

            process.until(a_line_was_dropped)
        process.signal(signal.SIGTERM)
        assert process.exit_status() == 0
    finally:
        os.close(reading)
