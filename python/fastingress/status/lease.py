"""A Lease (coordination.k8s.io/v1) as plain data: who holds it, and what is written to take, renew or give it back.

Pure: it is told the time, and it does not decide who may lead. What it does not know of a Lease it leaves as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fastingress.status.microtime import micro_time

RELEASED = 1
"""Seconds that a Lease which was given back is said to last: so that it can be told from one whose holder was lost."""
_LONGEST = 300.0
"""Seconds that we believe another holder at most: a wrong figure must not end elections for good."""


_MOST_TRANSITIONS = (1 << 31) - 1
"""What the API takes. It is for people to read; someone may have written anything."""


@dataclass(frozen=True)
class Lease:
    """One state of a Lease."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @classmethod
    def parse(cls, answer: bytes) -> Lease:
        """Raises ValueError for what is not an object of the API."""
        try:
            raw = msgspec.json.decode(answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the answer is not JSON: {error}") from error
        metadata = raw.get("metadata") if isinstance(raw, dict) else None
        if not isinstance(metadata, dict) or not metadata.get("uid") or not metadata.get("resourceVersion"):
            raise ValueError("the answer is not a Lease")
        spec = raw.get("spec")
        return cls(metadata, spec if isinstance(spec, dict) else {})

    @property
    def uid(self) -> str:
        """Tells it from a Lease of the same name that was there before."""
        return str(self.metadata["uid"])

    @property
    def version(self) -> str:
        """Changes with every write. Only its being equal means anything."""
        return str(self.metadata["resourceVersion"])

    @property
    def holder(self) -> str:
        """Empty when nobody holds it."""
        return str(self.spec.get("holderIdentity") or "")

    @property
    def unused(self) -> bool:
        """Nobody ever held it."""
        return not self.holder and not self.spec.get("renewTime")

    @property
    def released(self) -> bool:
        """Its holder gave it back, and did not merely vanish from it by someone's edit."""
        return not self.holder and self.spec.get("leaseDurationSeconds") == RELEASED

    def patience(self, ours: float) -> float:
        """Seconds without a sign of life after which its holder has surely stopped to lead."""
        theirs = self.spec.get("leaseDurationSeconds")
        return max(ours, min(theirs, _LONGEST)) if isinstance(theirs, int) else ours

    def taken(self, identity: str, duration: float, wall: float) -> dict[str, Any]:
        """Held by `identity`, from now on or still. `wall` is in seconds since 1970."""
        now = micro_time(wall)
        if now == self.spec.get("renewTime"):  # else it would be no write at all, and no sign of life
            now = micro_time(wall + 0.001)
        spec = {**self.spec, "holderIdentity": identity, "leaseDurationSeconds": round(duration), "renewTime": now}
        if self.holder != identity:
            before = self.spec.get("leaseTransitions")
            spec["acquireTime"] = now
            spec["leaseTransitions"] = min(before + 1, _MOST_TRANSITIONS) if isinstance(before, int) else 0
        return self._object(spec)

    def given_back(self, wall: float) -> dict[str, Any]:
        """Held by nobody, to be taken at once."""
        spec = {**self.spec, "holderIdentity": "", "leaseDurationSeconds": RELEASED, "renewTime": micro_time(wall)}
        return self._object(spec)

    def _object(self, spec: dict[str, Any]) -> dict[str, Any]:
        """With uid and version, so that it is refused when anyone wrote since, or made the Lease anew."""
        metadata = {name: value for name, value in self.metadata.items() if name != "managedFields"}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def new_lease(namespace: str, name: str, identity: str, duration: float, wall: float) -> dict[str, Any]:
    """One that is not there yet, held by `identity`."""
    now = micro_time(wall)
    spec = {
        "holderIdentity": identity,
        "leaseDurationSeconds": round(duration),
        "acquireTime": now,
        "renewTime": now,
        "leaseTransitions": 0,
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
