"""What is remembered of the writes to one Ingress's status: what stands there, who else owns it, and when to try again.

Pure. Decides when the next write may be made; what is to be written is the writer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from fastingress.objects import Ingress, LoadBalancerIngress
from fastingress.status.pacing import grown

Addresses = tuple[LoadBalancerIngress, ...]

ECHO = 10.0
"""Seconds that the echo of a write may take until what we see counts as changed by someone else."""
_FIGHT_FIRST, _FIGHT_LAST = 1.0, 300.0
_CALM = 900.0
"""Seconds without a foreign change after which a fight is over."""
_RETRY_FIRST, _RETRY_LAST = 0.5, 60.0
_SLOW_FIRST, _SLOW_LAST = 5.0, 600.0
"""For a conflict and for what is wrong with the write itself."""


@dataclass(frozen=True)
class Seen:
    """The state of a status: its addresses, sorted, and its managers."""

    addresses: Addresses
    managers: tuple[str, ...]

    @classmethod
    def of(cls, ingress: Ingress) -> Seen:
        """As the store shows it."""
        return cls(tuple(sorted(ingress.status.load_balancer.ingress)), ingress.status_managers)


@dataclass
class Record:
    """Of one Ingress, by uid. `owner` is the manager that a conflict named, empty when there is none."""

    uid: str
    owner: str = ""
    owner_seen: bool = False
    failures: int = 0
    fights: int = 0
    not_before: float = 0.0
    wrote: Addresses | None = None
    wrote_at: float = 0.0
    over: Seen | None = None
    """What was there when we wrote, until the echo of the write came."""

    def settled(self) -> None:
        """The status is as it should be."""
        self.owner, self.owner_seen = "", False
        self.failures, self.not_before, self.over = 0, 0.0, None

    def wait(self, wanted: Addresses, seen: Seen, now: float) -> float | None:
        """Seconds until `wanted` may be written over `seen`; None: not before something changes."""
        if self.owner:
            if self.owner in seen.managers:
                self.owner_seen = True
                return None
            if self.owner_seen:
                self.not_before = now
        return max(self.not_before - now, self._damped(wanted, seen, now), 0.0)

    def _damped(self, wanted: Addresses, seen: Seen, now: float) -> float:
        """We wrote just this, and it is not there: it has not come back to us yet, or someone wrote over it."""
        if self.wrote != wanted:
            return 0.0
        if self.over is not None and seen == self.over:
            return self.wrote_at + ECHO - now
        if now - self.wrote_at > _CALM:
            self.fights = 0
        if not self.fights:
            return 0.0
        pause: float = min(_FIGHT_FIRST * 2 ** min(self.fights - 1, 32), _FIGHT_LAST)
        return self.wrote_at + pause - now

    def written(self, wanted: Addresses, seen: Seen, now: float) -> None:
        """`wanted` was written over `seen`."""
        self.fights = self.fights + 1 if self.wrote == wanted else 0
        self.settled()
        self.wrote, self.wrote_at, self.over = wanted, now, seen

    def failed(self, now: float, random: Random, *, slow: bool = False, least: float = 0.0) -> float:
        """It could not be written. Answers the seconds until the next try."""
        self.failures += 1
        first, last = (_SLOW_FIRST, _SLOW_LAST) if slow else (_RETRY_FIRST, _RETRY_LAST)
        wait = max(grown(first, self.failures, last, random), least)
        self.not_before = now + wait
        return wait

    def conflicted(self, owner: str, seen: Seen, now: float, random: Random) -> float:
        """`owner` does not let us. Answers the seconds until the next try, unless the owner is seen to own it."""
        self.owner, self.owner_seen = owner, owner in seen.managers
        return self.failed(now, random, slow=True)
