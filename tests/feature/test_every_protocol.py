"""What is the same whatever the client speaks: log lines, metrics, rewrites, redirects, edits of headers, retries."""

from __future__ import annotations

import json
from typing import Any

from tests.support.backend import Exchange
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.manifests import OURS, Rule, ingress, service
from tests.support.process import Process
from tests.support.protocols import ALL, HOST, OVER_ALL, OVER_HTTP2, H2c, Spoken

BODY = b"b" * 5_000
ANSWER = b"a" * 20_000


def answer_long(exchange: Exchange) -> None:
    """Reads the body and answers with another."""
    exchange.read_body()
    exchange.answer(201, ANSWER, [("X-Powered-By", "backend"), ("Vary", "Accept")])


def logged(process: Process, count: int) -> list[dict[str, Any]]:
    """The first lines of the access log, once there are so many."""
    output = process.output
    assert output is not None
    process.until(lambda: len(output.lines) >= count)
    return [json.loads(line) for line in output.lines[:count]]


@OVER_ALL
def test_the_line_of_a_request_says_the_same(spawn: Spawn, backends: Backends, spoken: Spoken) -> None:
    backend = backends("web", answer_long)
    process = spawn(
        service("web", backend, namespace="team"),
        ingress("shop", Rule("web", "/x", host=HOST), namespace="team"),
        access_log="json",
        **ALL,
    )
    sent = [("user-agent", "test/1"), ("x-request-id", "id-1"), ("referer", "https://there.example/")]
    assert spoken.ask(process, "/x?a=b", method="POST", headers=sent, body=BODY).body == ANSWER
    (line,) = logged(process, 1)
    expected = {
        "client": "127.0.0.1",
        "scheme": spoken.scheme,
        "protocol": spoken.name,
        "method": "POST",
        "host": HOST,
        "path": "/x?a=b",
        "status": 201,
        "namespace": "team",
        "ingress": "shop",
        "rule": "rules[0].paths[0]",
        "service": "team/web:80",
        "endpoint": backend.endpoint,
        "tries": 1,
        "reason": None,
        "request_id": "id-1",
        "user_agent": "test/1",
        "referer": "https://there.example/",
    }
    assert {name: line[name] for name in expected} == expected
    assert len(BODY) <= line["bytes_in"] < len(BODY) + 1_000
    assert len(ANSWER) <= line["bytes_out"] < len(ANSWER) + 1_000
    assert 0 <= line["upstream_ms"] <= line["duration_ms"]


@OVER_ALL
def test_what_we_answer_ourselves_has_the_same_reason(spawn: Spawn, backends: Backends, spoken: Spoken) -> None:
    backend = backends("web")
    process = spawn(
        service("web", backend),
        ingress("web", Rule("web", "/small"), annotations={"proxy-body-size": "1k"}),
        ingress("gone", Rule("missing", "/gone")),
        access_log="json",
        **ALL,
    )
    assert spoken.ask(process, "/unknown").status == 404
    assert spoken.ask(process, "/gone").status == 503
    assert spoken.ask(process, "/small", method="POST", body=BODY).status == 413
    said = {line["path"]: (line["protocol"], line["status"], line["reason"]) for line in logged(process, 3)}
    assert said == {
        "/unknown": (spoken.name, 404, "no_route"),
        "/gone": (spoken.name, 503, "no_endpoints"),
        "/small": (spoken.name, 413, "body_too_large"),
    }


@OVER_ALL
def test_the_same_is_counted(serve: Serve, backends: Backends, spoken: Spoken) -> None:
    rule = ingress("shop", Rule("web", "/x", host=HOST), namespace="team")
    gateway = serve(service("web", backends("web", answer_long), namespace="team"), rule, **ALL)

    def count(name: str, **labels: str) -> float:
        return gateway.metrics().sum(f"fastingress_{name}", **labels)

    for _ in range(3):
        assert spoken.ask(gateway, "/x", method="POST", body=BODY).status == 201
    assert spoken.ask(gateway, "/unknown").status == 404
    ours = {"namespace": "team", "ingress": "shop"}
    gateway.until(lambda: count("requests_total") == 4)
    assert count("requests_total", **ours, **{"class": "2xx", "code": "201"}) == 3
    assert count("requests_total", namespace="", **{"class": "4xx", "code": "404"}) == 1
    for histogram in ("request_duration_seconds", "upstream_response_seconds"):
        assert count(f"{histogram}_count", **ours) == 3
    assert 3 * len(BODY) <= count("request_bytes_total", **ours) < 3 * (len(BODY) + 1_000)
    assert 3 * len(ANSWER) <= count("response_bytes_total", **ours) < 3 * (len(ANSWER) + 1_000)
    assert count("connections_total", listener=spoken.listener) == 4
    gateway.until(lambda: count("connections_open") == 0)
    assert count("buffered_bytes") == 0


@OVER_ALL
def test_a_path_is_rewritten(serve: Serve, backends: Backends, spoken: Spoken) -> None:
    backend = backends("web")
    rewrites = {"use-regex": "true", "rewrite-target": "/v2/$2"}
    rule = ingress("web", Rule("web", "/api(/|$)(.*)", kind="ImplementationSpecific"), annotations=rewrites)
    gateway = serve(service("web", backend), rule, **ALL)
    assert spoken.ask(gateway, "/api/books%20a?page=2").status == 200
    assert backend.targets() == ["/v2/books%20a?page=2"]


@OVER_ALL
def test_redirects_say_where(serve: Serve, backends: Backends, spoken: Spoken) -> None:
    backend = backends("web")
    moved = {"permanent-redirect": "https://new.example/there"}
    gateway = serve(
        service("web", backend),
        ingress("moved", Rule("web", "/moved", host=HOST), annotations=moved),
        ingress("secure", Rule("web", "/secure", host=HOST), annotations={"force-ssl-redirect": "true"}),
        ingress("app", Rule("web", "/", host=HOST), annotations={"app-root": "/app"}),
        **ALL,
    )

    def said(target: str) -> tuple[int, str | None]:
        answer = spoken.ask(gateway, target)
        return answer.status, answer.header("location")

    assert said("/moved/a") == (301, "https://new.example/there")
    assert said("/") == (302, f"{spoken.scheme}://{HOST}/app")
    to_https = (308, f"https://{HOST}/secure?a=b")
    assert said("/secure?a=b") == (to_https if spoken.scheme == "http" else (200, None))
    assert len(backend.requests) == (0 if spoken.scheme == "http" else 1)


@OVER_ALL
def test_headers_are_edited_both_ways(serve: Serve, backends: Backends, spoken: Spoken) -> None:
    backend = backends("web", answer_long)
    edits = {
        OURS + "request-headers-remove": "X-Secret",
        OURS + "request-headers-set": "X-Team: shop",
        OURS + "request-headers-add": "X-Tag: two",
        OURS + "response-headers-remove": "X-Powered-By",
        OURS + "response-headers-set": "Vary: Origin",
        OURS + "response-headers-add": "X-Served: here",
    }
    gateway = serve(service("web", backend), ingress("web", Rule("web"), annotations=edits), **ALL)
    answer = spoken.ask(gateway, headers=[("x-secret", "s"), ("x-team", "forged"), ("x-tag", "one")])
    request = backend.last
    assert [request.all(name) for name in ("x-secret", "x-team", "x-tag")] == [[], ["shop"], ["one", "two"]]
    assert [answer.header(name) for name in ("x-powered-by", "vary", "x-served")] == [None, "Origin", "here"]


@OVER_ALL
def test_an_endpoint_that_refuses_the_connection_is_passed_over(
    spawn: Spawn, backends: Backends, spoken: Spoken
) -> None:
    dead, alive = backends("dead"), backends("alive")
    dead.refuse()
    process = spawn(service("web", dead, alive), ingress("web", Rule("web")), workers=1, access_log="json", **ALL)
    for _ in range(2):  # whoever's turn it is first
        assert spoken.ask(process, method="POST", body=BODY).text == "alive"
    lines = logged(process, 2)
    assert {(line["status"], line["endpoint"], line["reason"]) for line in lines} == {(200, alive.endpoint, None)}
    assert max(line["tries"] for line in lines) == 2
    assert [request.body for request in alive.requests] == [BODY, BODY]


@OVER_HTTP2
def test_an_expectation_is_answered_before_the_body_comes(serve: Serve, backends: Backends, spoken: H2c) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.request.target == "/closed":
            exchange.answer(403, b"no")
            return exchange.close()
        return exchange.answer(200, exchange.read_body())

    gateway = serve(service("web", backends("web", answer)), ingress("web", Rule("web")), **ALL)
    with spoken.connect(gateway) as client:
        expects = [("expect", "100-continue"), ("content-length", str(len(BODY)))]
        taken = client.request(method="POST", headers=expects, end=False)
        while not client.answers[taken].interim:
            client.read()
        assert (client.answers[taken].interim, client.answers[taken].status) == ([{":status": "100"}], 0)
        client.send(taken, BODY, end=True)
        assert client.answer(taken).body == BODY
        refused = client.answer(client.request("/closed", method="POST", headers=expects, end=False))
        assert (refused.status, refused.interim, refused.text) == (403, [], "no")
        assert client.ask().status == 200
