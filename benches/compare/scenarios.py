"""What is measured, and what it may come to at most, as data. A new scenario is a new entry here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

HOST_PATHS = ("/cart", "/catalogue", "/images")
"""Of each of many hosts."""
Way = Literal["http1", "h2c", "http1-tls", "h2-tls", "grpc-tls", "websocket", "changing", "passthrough", "tcp"]
"""How clients speak to the proxy: each peer has a port for each, and some ports serve several.

Over `grpc-tls` the proxy speaks HTTP/2 to the backend, too; `websocket` is without TLS; `changing` is HTTP/1.1 while
the routes of another host change.
"""
Direction = Literal["down", "up"]


@dataclass(frozen=True)
class Metric:
    """What the figure of a scenario is."""

    name: str
    unit: str
    units: float
    """What the figure is divided by before it is shown in that unit."""

    def text(self, figure: float) -> str:
        """To read."""
        shown = figure / self.units
        return f"{shown:,.{0 if shown >= 1000 else 1}f} {self.unit}"


EVERY_PEER = "every peer"
"""All that are measured but the floor."""
UNCHANGED = "the same without changes"

ONE_HOST = "the same with 1 host"

PER_REQUEST = Metric("CPU per request", "us", 1)
PER_CALL = Metric("CPU per call", "us", 1)
PER_MESSAGE = Metric("CPU per echoed message", "us", 1)
PER_HANDSHAKE = Metric("CPU per handshake", "us", 1)
NEARLY_ALL = Metric("99th percentile of latency", "ms", 1000)
TAIL = Metric("99.9th percentile of latency", "ms", 1000)
PER_LOOKUP = Metric("time per lookup", "ns", 1)
PER_GIB = Metric("CPU per GiB", "ms", 1000)
PER_CONNECTION = Metric("memory per connection", "KiB", 1024)


@dataclass(frozen=True)
class Bound:
    """Our figure is at most this: a part of another's, so much more than our own of something else, or by itself.

    What is no part is in the metric as it is measured.
    """

    at_most: float
    of: str | tuple[str, ...] | None = None
    """The peer whose part it is; of several, the best."""
    over: str | None = None
    """What our own figure may exceed by it: a scenario of this name, or what was measured so along with its own."""
    promised: bool = True
    """This project is held to it. False of what it should not be above, where nothing was promised."""


@dataclass(frozen=True)
class Site:
    """What each peer is configured for, beside a host and the headers that it forwards."""

    logged: bool = False
    """It writes an access log: a line of JSON for each request, to a file."""
    rsa: bool = False
    """Its key is RSA 2048, and not ECDSA P-256."""
    hosts: int = 0
    """So many more hosts, each with the same paths, all of which lead to the backend."""

    @property
    def names(self) -> list[str]:
        """Of those hosts."""
        return [f"shop-{number:05}.example.com" for number in range(self.hosts)]


PLAIN = Site()


@dataclass(frozen=True)
class Load:
    """Requests as fast as they go; the figure is processor time of the proxy per request."""

    metric: ClassVar[Metric] = PER_REQUEST
    beside: ClassVar[str] = "requests/s that the load reached"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    connections: int
    path: str = "/1k"
    """Says how long the answer is."""
    rounds: int = 10
    seconds: int = 2
    way: Way = "http1"
    streams: int = 1
    """Requests at once on each connection."""
    body: int = 0
    """Bytes that each request sends with POST; with none it is a GET."""
    closes: bool = False
    """Each request has a connection of its own."""
    site: Site = PLAIN

    def quick(self) -> Load:
        """The same, only to see that it works."""
        return replace(self, rounds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True)
class Calls:
    """Unary calls of gRPC as fast as they go; the figure is processor time of the proxy per call."""

    metric: ClassVar[Metric] = PER_CALL
    beside: ClassVar[str] = "calls/s that the load reached"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    connections: int
    streams: int
    """Calls at once on each connection."""
    rounds: int = 10
    seconds: int = 3
    way: Way = "grpc-tls"

    def quick(self) -> Calls:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True)
class Echo:
    """WebSockets, each of which sends a message when it has the last one back; the figure is processor time of the
    proxy for a message there and back."""

    metric: ClassVar[Metric] = PER_MESSAGE
    beside: ClassVar[str] = "messages/s that the load reached"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    connections: int
    rounds: int = 10
    seconds: int = 3
    way: Way = "websocket"

    def quick(self) -> Echo:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True)
class Churn:
    """Requests at half of the rate that the slowest peer can answer, the same for all, while the routes of another host
    change; the figure is what no more than a thousandth took longer than. Each round has a turn without changes, too.
    """

    metric: ClassVar[Metric] = TAIL
    beside: ClassVar[str] = "at"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    changes_per_second: int
    connections: int
    rounds: int = 20
    """A thousandth of a turn is a dozen requests: its edge spreads more than a mean does."""
    seconds: int = 3
    way: Way = "changing"

    def quick(self) -> Churn:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return 2 * (self.seconds + 0.5) + 1


@dataclass(frozen=True)
class Latency:
    """Requests at a rate that all peers answer with ease, the same for all; the figure is what no more than a hundredth
    of them took longer than.
    """

    metric: ClassVar[Metric] = NEARLY_ALL
    beside: ClassVar[str] = "percentiles"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    rate: int
    """Requests a second."""
    connections: int
    rounds: int = 10
    seconds: int = 3
    way: Way = "http1"

    def quick(self) -> Latency:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True)
class Handshakes:
    """Handshakes of TLS 1.3, one after the other; the figure is processor time of the proxy for each."""

    metric: ClassVar[Metric] = PER_HANDSHAKE
    beside: ClassVar[str] = "handshakes/s that the load reached"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    rounds: int = 10
    seconds: int = 2
    connections: int = 1
    way: Way = "http1-tls"
    resumed: bool = False
    """Each has a ticket of an earlier one, and else each is full."""
    site: Site = PLAIN

    def quick(self) -> Handshakes:
        """The same, only to see that it works."""
        return replace(self, rounds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True)
class Bulk:
    """One long body after the other, checked to be whole; the figure is processor time of the proxy per GiB."""

    metric: ClassVar[Metric] = PER_GIB
    beside: ClassVar[str] = "MiB/s that the load reached"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    way: Way
    direction: Direction
    mib: int = 100
    rounds: int = 10
    seconds: int = 2
    """Of transfers in a turn; the last connection's are made to their end."""
    connections: int = 1

    def quick(self) -> Bulk:
        """The same, only to see that it works."""
        return replace(self, rounds=2, seconds=1)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.5


@dataclass(frozen=True)
class Idle:
    """Connections that have had one answer and wait; the figure is resident memory of the proxy for each."""

    metric: ClassVar[Metric] = PER_CONNECTION
    beside: ClassVar[str] = "before, after"
    name: str
    what: str
    bounds: tuple[Bound, ...]
    connections: int = 10_000
    rounds: int = 1
    way: Way = "http1"

    def quick(self) -> Idle:
        """All of it: with fewer connections, what is there for any number of them would count more."""
        return self

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return 5 + self.connections / 1000


@dataclass(frozen=True)
class Lookup:
    """The table by itself, without a proxy around it; the figure is the time to find a route among the hosts and read
    it. Each round has a turn with one host beside it.
    """

    metric: ClassVar[Metric] = PER_LOOKUP
    beside: ClassVar[str] = ONE_HOST
    name: str
    what: str
    bounds: tuple[Bound, ...]
    connections: int = 10_000
    """Hosts."""
    rounds: int = 10
    seconds: int = 1
    way: Way = "http1"

    def quick(self) -> Lookup:
        """The same, only to see that it works."""
        return replace(self, rounds=2)

    @property
    def seconds_per_turn(self) -> float:
        """About how long one round takes: making the tables is most of it."""
        return 2 * (self.seconds + 0.5) + 3


Scenario = Load | Calls | Echo | Churn | Latency | Handshakes | Bulk | Idle | Lookup


def title(scenario: Scenario) -> str:
    """A sentence on it."""
    size = f", {scenario.mib:,} MiB at a time" if isinstance(scenario, Bulk) else ""
    return f"{scenario.connections:,} {scenario.what}{size}"


def site(scenario: Scenario) -> Site:
    """What its peers are configured for."""
    return scenario.site if isinstance(scenario, Load | Handshakes) else PLAIN


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
