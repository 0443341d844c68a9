"""What a scenario says: of each kind what is asked for, in what unit it comes out, and what it may come to at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

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


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every kind of scenario says."""

    metric: ClassVar[Metric]
    beside: ClassVar[str]
    """What stands beside the figure."""
    name: str
    what: str
    bounds: tuple[Bound, ...]
    rounds: int = 10


@dataclass(frozen=True, kw_only=True)
class Timed(Common):
    """One whose turns last so long."""

    seconds: int = 3

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.2


@dataclass(frozen=True, kw_only=True)
class Load(Timed):
    """Requests as fast as they go; the figure is processor time of the proxy per request."""

    metric: ClassVar[Metric] = PER_REQUEST
    beside: ClassVar[str] = "requests/s that the load reached"
    connections: int
    path: str = "/1k"
    """Says how long the answer is."""
    seconds: int = 2
    way: Way = "http1"
    streams: int = 1
    """Requests at once on each connection."""
    body: int = 0
    """Bytes that each request sends with POST; with none it is a GET."""
    closes: bool = False
    """Each request has a connection of its own."""
    site: Site = PLAIN


@dataclass(frozen=True, kw_only=True)
class Calls(Timed):
    """Unary calls of gRPC as fast as they go; the figure is processor time of the proxy per call."""

    metric: ClassVar[Metric] = PER_CALL
    beside: ClassVar[str] = "calls/s that the load reached"
    connections: int
    streams: int
    """Calls at once on each connection."""
    way: Way = "grpc-tls"


@dataclass(frozen=True, kw_only=True)
class Echo(Timed):
    """WebSockets, each of which sends a message when it has the last one back; the figure is processor time of the
    proxy for a message there and back."""

    metric: ClassVar[Metric] = PER_MESSAGE
    beside: ClassVar[str] = "messages/s that the load reached"
    connections: int
    way: Way = "websocket"


@dataclass(frozen=True, kw_only=True)
class Churn(Timed):
    """Requests at half of the rate that the slowest peer can answer, the same for all, while the routes of another host
    change; the figure is what no more than a thousandth took longer than. Each round has a turn without changes, too.
    """

    metric: ClassVar[Metric] = TAIL
    beside: ClassVar[str] = "at"
    changes_per_second: int
    connections: int
    rounds: int = 20
    """A thousandth of a turn is a dozen requests: its edge spreads more than a mean does."""
    way: Way = "changing"

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return 2 * (self.seconds + 0.5) + 1


@dataclass(frozen=True, kw_only=True)
class Latency(Timed):
    """Requests at a rate that all peers answer with ease, the same for all; the figure is what no more than a hundredth
    of them took longer than.
    """

    metric: ClassVar[Metric] = NEARLY_ALL
    beside: ClassVar[str] = "percentiles"
    rate: int
    """Requests a second."""
    connections: int
    way: Way = "http1"


@dataclass(frozen=True, kw_only=True)
class Handshakes(Timed):
    """Handshakes of TLS 1.3, one after the other; the figure is processor time of the proxy for each."""

    metric: ClassVar[Metric] = PER_HANDSHAKE
    beside: ClassVar[str] = "handshakes/s that the load reached"
    seconds: int = 2
    connections: int = 1
    way: Way = "http1-tls"
    resumed: bool = False
    """Each has a ticket of an earlier one, and else each is full."""
    site: Site = PLAIN


@dataclass(frozen=True, kw_only=True)
class Bulk(Timed):
    """One long body after the other, checked to be whole; the figure is processor time of the proxy per GiB."""

    metric: ClassVar[Metric] = PER_GIB
    beside: ClassVar[str] = "MiB/s that the load reached"
    way: Way
    direction: Direction
    mib: int = 100
    seconds: int = 2
    """Of transfers in a turn; the last connection's are made to their end."""
    connections: int = 1

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return self.seconds + 0.5


@dataclass(frozen=True, kw_only=True)
class Idle(Common):
    """Connections that have had one answer and wait; the figure is resident memory of the proxy for each."""

    metric: ClassVar[Metric] = PER_CONNECTION
    beside: ClassVar[str] = "before, after"
    connections: int = 10_000
    rounds: int = 1
    way: Way = "http1"

    @property
    def seconds_per_turn(self) -> float:
        """About how long one peer takes for one round."""
        return 5 + self.connections / 1000


@dataclass(frozen=True, kw_only=True)
class Lookup(Timed):
    """The table by itself, without a proxy around it; the figure is the time to find a route among the hosts and read
    it. Each round has a turn with one host beside it.
    """

    metric: ClassVar[Metric] = PER_LOOKUP
    beside: ClassVar[str] = ONE_HOST
    connections: int = 10_000
    """Hosts."""
    seconds: int = 1
    way: Way = "http1"

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
