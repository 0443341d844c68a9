"""What each kind of scenario takes: what is behind the peers, how they are checked, how they are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.compare import (
    backend,
    bulk,
    calls,
    churn,
    correct,
    echo,
    idle,
    latency,
    load,
    lookup,
    programs,
    verdict,
    work,
)
from benches.compare.certificate import Pair
from benches.compare.peers import Peer
from benches.compare.scenario import Bulk, Calls, Churn, Echo, Handshakes, Idle, Latency, Load, Lookup, Scenario, site

Behind = Callable[[Any, Path, int, Pair], backend.Backend]


@dataclass(frozen=True)
class Kind:
    """One kind of scenario, which the functions take."""

    behind: Behind
    """Starts what all peers lead to: a folder to make, a port, a certificate in case it needs one."""
    check: Callable[[Any, Peer], None]
    """Raises `SystemExit` when a peer does not do the same work as the others."""
    measure: Callable[[Any, Sequence[Peer]], Any]
    """By name of peer."""
    programs: frozenset[str] = frozenset()
    """Those that have to be installed beside the peers' own."""


def of(scenario: Scenario) -> Kind:
    """The one that a scenario is of."""
    return KINDS[type(scenario)]


def missing(scenario: Scenario, peer: type[Peer]) -> str:
    """What a peer lacks that the scenario needs; empty when it can take part."""
    return peer.missing(scenario.way) or ("it has no access log" if site(scenario).logged and not peer.logs else "")


def takes_part(scenario: Scenario, peer: type[Peer]) -> bool:
    """False of the others where something of this project alone is measured, and of the floor where it is none.

    The relay has a connection to the backend for each of a client, so new and idle ones cost it more than a proxy.
    """
    if peer.is_floor and (isinstance(scenario, Idle) or (isinstance(scenario, Load) and scenario.closes)):
        return False
    return not isinstance(scenario, Lookup) or peer.name == verdict.OURS


def _web(_: Scenario, folder: Path, port: int, __: Pair) -> backend.Backend:
    return backend.web(folder, port)


def _ours(kind: str) -> Behind:
    return lambda _, folder, port, __: backend.ours(folder, port, kind)


def _bulk(scenario: Bulk, folder: Path, port: int, pair: Pair) -> backend.Backend:
    """What passes through the peers ends its TLS there."""
    return backend.bulk(folder, port, scenario.mib, pair if scenario.way == "passthrough" else None)


def _check(scenario: Scenario, peer: Peer) -> None:
    correct.check(peer, scenario.way)


OURS = frozenset({programs.ENDS})
KINDS: Mapping[type, Kind] = {
    Load: Kind(_web, work.check, load.measure),
    Calls: Kind(_ours("calls"), calls.check, load.measure, OURS),
    Echo: Kind(_ours("echo"), echo.check, load.measure, OURS),
    Churn: Kind(_web, churn.check, churn.measure, OURS),
    Latency: Kind(_web, _check, latency.measure, OURS),
    Handshakes: Kind(_web, _check, load.measure),
    Bulk: Kind(_bulk, bulk.check, load.measure),
    Idle: Kind(_web, _check, idle.measure),
    Lookup: Kind(_web, _check, lookup.measure),
}
