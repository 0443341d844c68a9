"""From an acknowledged API write to the new behaviour on the wire, change by change, beside the bare watcher."""

from __future__ import annotations

import random
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from benches.cluster.access import Access
from benches.cluster.controller import Controller
from benches.cluster.fill import create
from benches.cluster.plan import Plan
from benches.cluster.watcher import Watcher
from tests.cluster.support.api import Api
from tests.support.certificates import Authority, blind, serial_of
from tests.support.client import RawClient, request_bytes

_LONGEST = 30.0
_PAUSE = 0.0003
"""Seconds between two questions."""
_WARM_UP = 5
_BETWEEN = (0.03, 0.08)
"""Seconds between two changes, at random."""


@dataclass
class Latencies:
    """Of one kind of change, in seconds."""

    live: list[float] = field(default_factory=list)
    """From the acknowledgement to the first answer that shows it."""
    watched: list[float] = field(default_factory=list)
    """To when the bare watcher had read the event; below zero when that was before the acknowledgement was read."""
    queued: list[float] = field(default_factory=list)
    """How long the controller's threads waited for a processor meanwhile: what others on the machine take."""

    @property
    def beyond(self) -> list[float]:
        """How much later than the bare watcher."""
        return [live - watched for live, watched in zip(self.live, self.watched, strict=True)]


@dataclass
class _Change:
    write: Callable[[], object]
    shows: Callable[[], bool]
    event: tuple[str, str, str]


class Changer:
    """Makes changes to a cluster that a controller follows."""

    def __init__(self, access: Access, plan: Plan, controller: Controller, authority: Authority) -> None:
        self._api: Api = access.api()
        self._plan = plan
        self._controller = controller
        self._authority = authority
        self._client = RawClient(controller.http)
        self._made: list[tuple[str, str, str]] = []

    def close(self) -> None:
        """Lets go of its connections."""
        self._client.close()
        self._api.close()

    def moved_endpoint(self, number: int) -> _Change:
        """A pod is replaced by one at another address."""
        index, plan = self._index(number), self._plan
        endpoints = plan.endpoints(index, number + 1)
        address = plan.address(index, number + 1)
        namespace, name = plan.namespace(index), plan.slice_name(index)
        return _Change(
            lambda: self._api.patch("EndpointSlice", name, {"endpoints": endpoints}, namespace),
            lambda: self._ask(plan.host(index)) == (200, address),
            ("MODIFIED", "EndpointSlice", name),
        )

    def new_ingress(self, number: int) -> _Change:
        """One more Ingress, with a host that is new."""
        index, name = self._index(number), f"new-{number}"
        host = f"{name}.example.com"
        made = self._plan.ingress(index, name=name, host=host)
        self._made.append((name, self._plan.namespace(index), host))
        return _Change(lambda: create(self._api, made), lambda: self._ask(host)[0] == 200, ("ADDED", "Ingress", name))

    def deletion(self, number: int) -> _Change:
        """One of those Ingresses goes."""
        name, namespace, host = self._made.pop(0)
        return _Change(
            lambda: self._api.delete("Ingress", name, namespace),
            lambda: self._ask(host)[0] == 404,
            ("DELETED", "Ingress", name),
        )

    def rotation(self, number: int) -> _Change:
        """A certificate is renewed."""
        plan = self._plan
        index = plan.with_tls[number % len(plan.with_tls)]
        pair = self._authority.issue(plan.host(index))
        data = plan.secret(index, pair)["data"]
        namespace, name = plan.namespace(index), plan.secret_name(index)
        return _Change(
            lambda: self._api.patch("Secret", name, {"data": data}, namespace),
            lambda: self._serial(plan.host(index)) == pair.serial,
            ("MODIFIED", "Secret", name),
        )

    def _index(self, number: int) -> int:
        return (number * 7919 + 13) % self._plan.ingresses

    def _ask(self, host: str) -> tuple[int, str]:
        answer = self._client.send(request_bytes(host=host)).response()
        return answer.status, answer.text

    def _serial(self, host: str) -> int:
        with closing(RawClient(self._controller.https, tls=blind(), server_name=host)) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            return serial_of(client.sock.getpeercert(binary_form=True) or b"")


def measure(
    access: Access, plan: Plan, controller: Controller, authority: Authority, samples: int
) -> dict[str, Latencies]:
    """So many changes of each kind, one after the other."""
    found: dict[str, Latencies] = {}
    with closing(Changer(access, plan, controller, authority)) as changer, Watcher(access) as watcher:
        kinds = {
            "endpoint change": changer.moved_endpoint,
            "new Ingress": changer.new_ingress,
            "deletion": changer.deletion,
            "Secret rotation": changer.rotation,
        }
        for kind, change in kinds.items():
            found[kind] = _measure(kind, change, watcher, controller, samples)
    return found


def _measure(
    kind: str, change: Callable[[int], _Change], watcher: Watcher, controller: Controller, samples: int
) -> Latencies:
    found, pause = Latencies(), random.Random(2)
    for number in range(samples + _WARM_UP):
        made = change(number)
        if made.shows():
            raise RuntimeError(f"{kind} {number} shows before it was made")
        watcher.forget()
        time.sleep(pause.uniform(*_BETWEEN))
        queued = controller.queued_seconds()
        made.write()
        acknowledged = time.perf_counter()
        live = _wait(made) - acknowledged
        queued = controller.queued_seconds() - queued
        watched = watcher.seen(*made.event) - acknowledged
        if number >= _WARM_UP:
            found.live.append(live)
            found.watched.append(watched)
            found.queued.append(queued)
        if number % 20 == 0 or number + 1 == samples + _WARM_UP:
            end = "\n" if number + 1 == samples + _WARM_UP else "\r"
            print(f"  {kind}: {number + 1} of {samples + _WARM_UP}", end=end, file=sys.stderr, flush=True)
    return found


def _wait(change: _Change) -> float:
    end = time.perf_counter() + _LONGEST
    while time.perf_counter() < end:
        if change.shows():
            return time.perf_counter()
        time.sleep(_PAUSE)
    raise RuntimeError(f"{change.event} did not show within {_LONGEST:g} s")
