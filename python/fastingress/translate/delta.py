"""What an update of the translator tells its caller."""

from __future__ import annotations

from msgspec import Struct

from fastingress.model import Key
from fastingress.problems import Problem
from fastingress.store import Dependency


class Counts(Struct):
    """Units that were translated."""

    ingresses: int = 0
    endpoint_sets: int = 0
    certificates: int = 0
    authorities: int = 0
    settings: int = 0


class Delta(Struct, frozen=True):
    """The difference between the desired state before an update and after it."""

    upserts: dict[Key, bytes]
    """Entries that are new or differ, whole and encoded."""
    removals: set[Key]
    """Entries that are gone."""
    problems: dict[str, list[Problem]]
    """For each unit named, all that is wrong with it now; an empty list clears. Units not named keep what they had.
    A unit is `ingress:namespace/name`, `endpoints:namespace/service:port`, `certificate:namespace/secret`,
    `authority:namespace/secret`, `class:name`, `settings:process` or `streams:process`."""
    counts: Counts
    """Work done."""
    needed: frozenset[Dependency] = frozenset()
    """The Secrets and ConfigMaps that are read now and were not before, found or missing."""
    turned: frozenset[tuple[str, str]] = frozenset()
    """Namespace and name of the Ingresses that have become ours, or are not any more."""
    unneeded: frozenset[Dependency] = frozenset()
    """Those that are not read any more."""
