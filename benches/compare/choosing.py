"""Which scenarios and peers a run has: by name or pattern, with a word on names that nothing has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeVar

from benches.compare.peers import PEERS, Peer
from benches.compare.scenario import Bulk, Idle, Scenario
from benches.compare.scenarios import SCENARIOS

QUICK_SCENARIOS = ("http1-1k", "h2-tls", "tls-handshake", "idle")
QUICK_PEERS = ("fastingress", "nginx", "HAProxy")
PROMISED_SCENARIOS = tuple(each.name for each in SCENARIOS if any(bound.promised for bound in each.bounds))
QUICK_ROUNDS = 6
"""The fewest whose interval has more than 95 % confidence."""

QUICK_SECONDS = 2

T = TypeVar("T")


class UnknownError(Exception):
    """A name or pattern that nothing has; its text says what was probably meant."""


def scenarios(
    patterns: Sequence[str], *, quick: bool, rounds: int | None, mib: int | None, promised: bool = False
) -> list[Scenario]:
    """In the order of their declaration, in the size that was asked for. No patterns: all, those with a bound that this
    project is held to, or those for a quick look.

    Raises `UnknownError`.
    """
    patterns = patterns or (PROMISED_SCENARIOS if promised else QUICK_SCENARIOS if quick else ("*",))
    named = matching("scenario", patterns, SCENARIOS, lambda scenario: scenario.name)
    return [_sized(each, quick=quick, rounds=rounds, mib=mib) for each in named]


def peers(patterns: Sequence[str], *, quick: bool) -> list[type[Peer]]:
    """In the order of the table. No patterns: all, or those for a quick look. Raises `UnknownError`."""
    return matching("peer", patterns or (QUICK_PEERS if quick else ("*",)), PEERS, lambda peer: peer.name)


def matching(kind: str, patterns: Iterable[str], among: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """Those whose name some pattern has, whatever its case, and with hyphens for spaces. Raises `UnknownError`."""
    names = {_folded(name(each)): name(each) for each in among}
    found: set[str] = set()
    for pattern in patterns:
        hits = {known for known in names if fnmatchcase(known, _folded(pattern))}
        if not hits:
            raise UnknownError(f"no {kind} is called {pattern!r}{_meant(_folded(pattern), names)}")
        found |= hits
    return [each for each in among if _folded(name(each)) in found]


def _folded(name: str) -> str:
    return name.lower().replace(" ", "-")


def _meant(pattern: str, names: dict[str, str]) -> str:
    """What is spelt nearly so, what has it in its name, or else all there is."""
    near = [names[each] for each in get_close_matches(pattern, names, n=3, cutoff=0.6)]
    bare = pattern.strip("*?")
    near += [shown for folded, shown in names.items() if bare and bare in folded and shown not in near]
    return f"; did you mean {' or '.join(near[:4])}?" if near else f"; there are {', '.join(names.values())}"


def _sized(scenario: Scenario, *, quick: bool, rounds: int | None, mib: int | None) -> Scenario:
    sized = scenario
    if quick and not isinstance(scenario, Idle):
        sized = replace(scenario, seconds=min(scenario.seconds, QUICK_SECONDS))
    wanted = rounds or (QUICK_ROUNDS if quick else None)
    if wanted and scenario.rounds > 1:  # what has one round by nature keeps it
        sized = replace(sized, rounds=wanted)
    return replace(sized, mib=mib) if mib and isinstance(sized, Bulk) else sized
