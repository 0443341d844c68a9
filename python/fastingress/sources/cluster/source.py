"""The source of a cluster: joins the parts, and says what changed.

What is watched decides itself what is news and puts it into the outbox; this file starts and ends it, and empties the
outbox for the consumer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from random import random

from msgspec import Struct

from fastingress.problems import Problem
from fastingress.sources.cluster import access
from fastingress.sources.cluster.classes import Classes
from fastingress.sources.cluster.feed import Feed
from fastingress.sources.cluster.heartbeat import Heartbeat
from fastingress.sources.cluster.history import History
from fastingress.sources.cluster.kinds import grants, row_for
from fastingress.sources.cluster.named import NamedObjects
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.outbox import ClusterBatch, Outbox
from fastingress.sources.cluster.scope import Scope
from fastingress.sources.cluster.secrets import Secrets
from fastingress.sources.cluster.transport import Connection
from fastingress.sources.cluster.watches import Watches
from fastingress.store import Dependency
from fastingress.tasks import end

__all__ = ["ClusterBatch", "ClusterOptions", "ClusterSource", "Counters"]

_log = logging.getLogger("fastingress.cluster")

_NEEDED = ("Secret", "ConfigMap")
"""The kinds of which only what is needed is kept."""
_WAITING_FIRST, _WAITING_NEXT = 2.0, 30.0
"""Seconds after which a start that is held up says why."""
_OUTAGE = 5.0
"""Seconds without an answer that make a problem."""
_MOST_NAMED = 5


class Counters(Struct, frozen=True):
    """What metrics show of the source."""

    relists: dict[str, int]
    """By resource, such as `ingresses`: how often all objects had to be listed once more."""
    resumes: dict[str, int]
    """By resource: how often a watch went on where the last one ended."""
    reachable: bool
    """Whether the API server answers."""
    last_event_age: float | None
    """Seconds since something arrived."""


class ClusterSource:
    """The objects of a cluster, as far as the options want them. One consumer at a time, in one loop.

    `clock` gives seconds that never go back; `random` gives numbers from 0 to 1, which spread retries.
    """

    def __init__(
        self,
        connection: Connection,
        options: ClusterOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random,
    ) -> None:
        self._options = options
        self._clock = clock
        self._outbox = Outbox(clock)
        self._watches = Watches(connection.lane("watches"), clock=clock, random=random)
        self._calls = connection.lane("reads", connections=16)
        self._named = NamedObjects(self._watches, self._outbox)
        self._scope = Scope(options, self._watches, self._outbox, keep=self._named.__contains__)
        self._secrets = self._watched_secrets()
        where = options.namespaces[0] if options.namespaces else ""
        path = row_for("Ingress", options).path(where)
        self._history = History(connection.lane("history", connections=1), path, lost=self._watches.start_over)
        self._heartbeat = Heartbeat(connection.lane("heartbeat", connections=1), clock=clock, recovered=self._renew)
        self._is_settled = False

    async def watch(self) -> AsyncGenerator[ClusterBatch, None]:
        """What changed since the last batch, for ever. The first two may be empty.

        The first comes when everything that is always watched is known, or is denied and can be done without. Whoever
        takes it says by `need` what else that asks for; the second comes when that is there, absent or denied.
        """
        works = (self._heartbeat.run(), self._history.run(), self._check(), self._complain(), self._tell_outages())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            self._start()
            await self._settled()
            yield self._outbox.take(settled=False)
            await self._settled()
            self._is_settled = True
            while True:
                yield self._outbox.take(settled=True)
                await self._outbox.burst()
        finally:
            await self._close(tasks)

    def need(self, needed: Iterable[Dependency], unneeded: Iterable[Dependency] = ()) -> None:
        """Which Secrets and ConfigMaps are needed from now on, beside the earlier ones, and which are not any more."""
        fetched = []
        for each in needed:
            if self._is_watched(each.kind, each.namespace):
                fetched.append((each.namespace, each.name))
            elif each.kind in _NEEDED:
                self._named.need(row_for(each.kind, self._options, where="named"), each.namespace, each.name)
        left = []
        for each in unneeded:
            if self._is_watched(each.kind, each.namespace):
                left.append((each.namespace, each.name))
            elif each.kind in _NEEDED:
                self._named.unneed(each.kind, each.namespace, each.name)
        if self._secrets is not None:
            self._secrets.unneed(left)
            self._secrets.need(fetched)
            self._secrets.start()

    def waiting_for(self) -> list[str]:
        """What is not there yet, and why, a line for each; empty once the source has settled."""
        if self._is_settled:
            return []
        waiting = [feed.reason() for feed in self._watches if not feed.settled]
        waiting += self._secrets.waiting_for() if self._secrets is not None else []
        if waiting and not self._heartbeat.reachable:  # one reason for all of them
            return [f"the API server does not answer: {self._heartbeat.trouble}"]
        return waiting

    def counters(self) -> Counters:
        """As they are now."""
        newest = self._outbox.newest
        return Counters(
            relists=dict(self._watches.relists()),
            resumes=dict(self._watches.resumes()),
            reachable=self._heartbeat.reachable,
            last_event_age=None if newest is None else self._clock() - newest,
        )

    def _start(self) -> None:
        options = self._options
        self._scope.start()
        row = row_for("IngressClass", options)
        classes = Classes(row, self._outbox, name=options.ingress_class, controller=options.controller_class)
        self._watches.start(classes)
        if options.nodes:
            self._follow("Node")
            self._follow("Pod", options.own_namespace)
        elif options.zone and options.own_node:
            self._named.need(row_for("Node", options), "", options.own_node)
        namespace, _, name = options.publish_service.partition("/")
        if name and not options.watches(namespace):
            self._named.need(row_for("Service", options, where="named"), namespace, name)

    def _follow(self, kind: str, namespace: str = "") -> None:
        self._watches.start(Feed(row_for(kind, self._options), namespace, self._outbox))

    def _watched_secrets(self) -> Secrets | None:
        if self._options.secret_access == "named":
            return None
        row = row_for("Secret", self._options, where="watched")
        return Secrets(row, self._options.namespaces, self._calls, self._watches, self._outbox)

    def _is_watched(self, kind: str, namespace: str) -> bool:
        """Whether it is a Secret that is watched with all the others of its namespace."""
        return kind == "Secret" and self._secrets is not None and self._options.covers(namespace)

    async def _settled(self) -> None:
        while not self._has_all():
            await self._outbox.stir()

    def _has_all(self) -> bool:
        fetched = self._secrets is None or self._secrets.settled
        return fetched and all(feed.settled for feed in self._watches)

    def _renew(self) -> None:
        _log.info("the API server answers again: every watch is opened anew")
        self._watches.renew()
        self._history.look()

    async def _check(self) -> None:
        wanted = [grant for grant in grants(self._options) if grant.names or grant.row.where != "named"]
        await access.follow(self._calls, wanted, self._note_missing)

    def _note_missing(self, found: list[access.Missing]) -> None:
        self._watches.note_missing({(one.grant.row, one.grant.namespace): one.verbs for one in found})
        self._outbox.state("permissions", [one.problem() for one in found])

    async def _complain(self) -> None:
        """A start that takes long says what it waits for."""
        wait = _WAITING_FIRST
        while not self._is_settled:
            await asyncio.sleep(wait)
            wait = _WAITING_NEXT
            waiting = self.waiting_for()
            if waiting:
                more = f"; and {len(waiting) - _MOST_NAMED} more" if len(waiting) > _MOST_NAMED else ""
                _log.warning("waiting for the cluster: %s%s", "; ".join(waiting[:_MOST_NAMED]), more)

    async def _tell_outages(self) -> None:
        """An API server that is away for long is one problem, whatever is watched."""
        problem = None
        while True:
            heartbeat = self._heartbeat
            if heartbeat.reachable:
                problem = None
            elif problem is None and self._clock() - heartbeat.since >= _OUTAGE:
                message = f"the API server does not answer, what it said last is served: {heartbeat.trouble}"
                problem = Problem("Unreachable", "error", None, message)
            self._outbox.state("api server", [problem] if problem else [])
            await asyncio.sleep(1.0)

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        await end(tasks)
        if self._secrets is not None:
            await self._secrets.close()
        await self._watches.close()
