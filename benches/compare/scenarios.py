"""All scenarios, as data. A new one is a new entry here."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from benches.compare.scenario import (
    EVERY_PEER,
    ONE_HOST,
    UNCHANGED,
    Bound,
    Bulk,
    Calls,
    Churn,
    Direction,
    Echo,
    Handshakes,
    Idle,
    Latency,
    Load,
    Lookup,
    Scenario,
    Site,
    Way,
)


def logged(load: Load, *bounds: Bound) -> Load:
    """The same with the access log on."""
    name, what = f"{load.name}-log", f"{load.what}, access log of JSON on"
    return replace(load, name=name, what=what, bounds=bounds, site=replace(load.site, logged=True))


MORE_ROUNDS = 16
"""Where much is promised: the interval goes from the fourth value to the fourth last then, with ten from the second."""
NO_MORE_THAN_PEERS = (Bound(1.0, of="nginx", promised=False), Bound(1.0, of="HAProxy", promised=False))
ALONE = "all forwarded headers, one worker"

HTTP1_1K = Load(
    name="http1-1k",
    what=f"connections kept alive, HTTP/1.1, 1 KiB answers, {ALONE}",
    bounds=(Bound(0.7, of="nginx"), Bound(0.7, of="HAProxy"), Bound(1.2, of="bare relay")),
    connections=64,
    rounds=MORE_ROUNDS,
)

HTTP1_OTHERS = (
    *(
        Load(
            name=f"http1-{path[1:]}",
            what=f"connections kept alive, HTTP/1.1, {size} answers, {ALONE}",
            bounds=NO_MORE_THAN_PEERS,
            connections=64,
            path=path,
        )
        for path, size in (("/0", "empty"), ("/16k", "16 KiB"), ("/256k", "256 KiB"))
    ),
    Load(
        name="http1-post",
        what=f"connections kept alive, HTTP/1.1, POST of 4 KiB, 1 KiB answers, {ALONE}",
        bounds=NO_MORE_THAN_PEERS,
        connections=64,
        path="/take",
        body=4096,
    ),
    Load(
        name="http1-close",
        what=f"clients, HTTP/1.1, a new connection for each request, 1 KiB answers, {ALONE}",
        bounds=(Bound(0.9, of="nginx"),),
        connections=64,
        rounds=MORE_ROUNDS,
        closes=True,
    ),
    Load(
        name="http1-tls",
        what=f"connections kept alive, HTTP/1.1 over TLS 1.3, 1 KiB answers, {ALONE}",
        bounds=(Bound(0.8, of="nginx"),),
        connections=64,
        rounds=MORE_ROUNDS,
        way="http1-tls",
    ),
)

BETTER_THAN_BOTH = (Bound(0.85, of=("nginx", "HAProxy")),)
BULK_WAYS: dict[Way, str] = {
    "http1": "HTTP/1.1",
    "http1-tls": "HTTP/1.1 over TLS 1.3",
    "h2-tls": "HTTP/2 over TLS 1.3",
    "passthrough": "TLS 1.3 that passes through by server name",
    "tcp": "a TCP service",
}

SCENARIOS: tuple[Scenario, ...] = (
    HTTP1_1K,
    *HTTP1_OTHERS,
    logged(HTTP1_1K, Bound(0.85, of="nginx")),
    *(logged(each) for each in HTTP1_OTHERS),
    Load(
        name="h2-tls",
        what=f"connections with 16 streams each, HTTP/2 over TLS 1.3, 1 KiB answers, {ALONE}",
        bounds=(Bound(0.8, of="nginx"), Bound(0.8, of="HAProxy")),
        connections=16,
        rounds=MORE_ROUNDS,
        way="h2-tls",
        streams=16,
    ),
    Load(
        name="h2c",
        what=f"connections with 16 streams each, HTTP/2 without TLS, 1 KiB answers, {ALONE}",
        bounds=NO_MORE_THAN_PEERS,
        connections=16,
        way="h2c",
        streams=16,
    ),
    Calls(
        name="grpc",
        what="connections with 16 streams each, unary calls of gRPC over TLS 1.3, 100 B there and back, all forwarded "
        "headers, one worker",
        bounds=(Bound(0.5, of="Envoy"),),
        connections=16,
        streams=16,
    ),
    Echo(
        name="websocket-echo",
        what="WebSockets, one message of 64 B under way on each, one worker",
        bounds=NO_MORE_THAN_PEERS,
        connections=200,
    ),
    *(
        Load(
            name=name,
            what=f"connections kept alive, HTTP/1.1, 1 KiB answers, at random from {of} of 3 paths, {ALONE}",
            bounds=(),
            connections=16,
            site=Site(hosts=hosts),
        )
        for name, of, hosts in (("hosts-1", "1 host", 1), ("hosts-10k", "10,000 hosts", 10_000))
    ),
    Latency(
        name="latency",
        what=f"connections kept alive, HTTP/1.1, 1 KiB answers, 3,200 requests/s in all, {ALONE}",
        bounds=(),
        rate=3200,
        connections=64,
    ),
    Churn(
        name="churn",
        what="connections kept alive, HTTP/1.1, 1 KiB answers at half of the slowest's rate, the route of another host "
        "changes 10 times a second, all forwarded headers, one worker",
        bounds=(Bound(1000, over=UNCHANGED), Bound(1.0, of=EVERY_PEER)),
        changes_per_second=10,
        connections=64,
    ),
    Handshakes(
        name="tls-handshake",
        what="client that makes full handshakes of TLS 1.3, ECDSA P-256, X25519, one worker",
        bounds=(Bound(0.58, of="nginx"), Bound(0.8, of="Envoy")),
    ),
    Handshakes(
        name="tls-handshake-rsa",
        what="client that makes full handshakes of TLS 1.3, RSA 2048, X25519, one worker",
        bounds=NO_MORE_THAN_PEERS,
        site=Site(rsa=True),
    ),
    Handshakes(
        name="tls-resumed",
        what="client that resumes sessions of TLS 1.3, X25519, one worker",
        bounds=NO_MORE_THAN_PEERS,
        resumed=True,
    ),
    Idle(
        name="idle",
        what="connections kept alive and idle after one request, one worker",
        bounds=(Bound(3 * 1024),),
    ),
    Idle(
        name="idle-http1-tls",
        what="connections of HTTP/1.1 over TLS 1.3, kept alive and idle after one request, one worker",
        bounds=(Bound(1.2, of="nginx"),),
        way="http1-tls",
    ),
    Idle(
        name="idle-h2-tls",
        what="connections of HTTP/2 over TLS 1.3, kept alive and idle after one request, one worker",
        bounds=(Bound(48 * 1024, promised=False),),
        way="h2-tls",
    ),
    Lookup(
        name="lookup",
        what="hosts of 3 paths each, one of them asked for uniformly at random, no proxy around the table",
        bounds=(Bound(600, over=ONE_HOST),),
    ),
    Bulk(
        name="bulk-http1-1m",
        what="client that downloads over HTTP/1.1, one worker",
        bounds=BETTER_THAN_BOTH,
        way="http1",
        direction="down",
        mib=1,
        rounds=MORE_ROUNDS,
    ),
    *(
        Bulk(
            name=f"bulk-{way}-{direction}",
            what=f"client that {'downloads' if direction == 'down' else 'uploads'} over {spoken}, one worker",
            bounds=BETTER_THAN_BOTH if way == "http1" else NO_MORE_THAN_PEERS,
            way=way,
            direction=direction,
        )
        for way, spoken in BULK_WAYS.items()
        for direction in get_args(Direction)
    ),
)
