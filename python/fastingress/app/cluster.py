"""What a process does in a cluster beside serving: it reads objects, takes part in elections, writes status and Events.

It joins the source and the room of status to the rest, and holds no rules of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping

from fastingress.app.options import cluster_options
from fastingress.config import Config
from fastingress.control import Control
from fastingress.errors import ConfigError
from fastingress.objects import LoadBalancerIngress, ObjectKey
from fastingress.problems import Problem
from fastingress.publish import ProblemBook
from fastingress.sources.cluster.credentials import CredentialsError, connect, own_namespace
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.source import ClusterBatch, ClusterSource
from fastingress.sources.cluster.transport import Connection
from fastingress.status import Addresses, Elector, EventRecorder, StatusWriter, parse_address
from fastingress.store import Upsert
from fastingress.tasks import end
from fastingress.translate import Delta, Translator

_log = logging.getLogger("fastingress")
_OF_ADDRESSES = frozenset({"Service", "Node", "Pod"})
_AT_ONCE = 16
_LONGEST_MANAGER = 128


class ClusterSide:
    """The parts that speak to the API server."""

    @classmethod
    async def connect(cls, config: Config, control: Control, translator: Translator, book: ProblemBook) -> ClusterSide:
        """Finds the credentials; the server need not answer yet. Raises `ConfigError`."""
        try:
            connection = await connect(kubeconfig=config.kubeconfig, context=config.context)
        except CredentialsError as error:
            raise ConfigError(str(error)) from error
        return cls(config, connection, control, translator, book, os.environ)

    def __init__(
        self,
        config: Config,
        connection: Connection,
        control: Control,
        translator: Translator,
        book: ProblemBook,
        environment: Mapping[str, str],
    ) -> None:
        """Raises `ConfigError`."""
        view = control.store.view()
        namespace = own_namespace(connection, environment)
        options = cluster_options(config, own_namespace=namespace, environment=environment)
        instance = environment.get("POD_NAME") or socket.gethostname()
        if options.zone and not options.own_node:
            _log.warning("--topology-aware-routing has no effect: NODE_NAME is not set, so our zone is not known")
        self._connection = connection
        self._options = options
        self._book = book
        self.source = ClusterSource(connection, options)
        self.elector: Elector | None = None
        if options.update_status or options.publish_events:
            self.elector = Elector(
                connection.lane("lease", connections=1),
                namespace,
                config.election_id,
                f"{instance}-{secrets.token_hex(4)}",
                changed=self._lead,
            )
        writes = connection.lane("writes", connections=_AT_ONCE)
        self.addresses = Addresses(
            view,
            fixed=_fixed(config),
            service=_name_of(config.publish_service),
            nodes=config.publish_node_addresses,
            problems=book.update,
        )
        self.status: StatusWriter | None = None
        if options.update_status:
            self.status = StatusWriter(
                writes,
                view,
                manager=_manager(config),
                leading=self._leading,
                ours=translator.is_ours,
                addresses=lambda: self.addresses.now,
                problems=book.update,
            )
        self.events: EventRecorder | None = None
        if options.publish_events:
            self.events = EventRecorder(
                connection.lane("events", connections=_AT_ONCE),
                controller=config.controller_class,
                instance=instance,
                leading=self._leading,
                standing=self._standing,
            )
            book.listen(_of_covered(options, self.events.raised), _of_covered(options, self.events.cleared))
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self) -> AsyncIterator[ClusterBatch]:
        """What the source says."""
        return self.source.watch()

    def start(self) -> None:
        """Takes part in elections from now on."""
        if self.elector is None:
            return
        works = [self.elector.run()]
        works += [part.run() for part in (self.status, self.events) if part is not None]
        self._tasks = [asyncio.create_task(work) for work in works]

    def translated(self, delta: Delta) -> None:
        """A change was translated: what the source has to bring, and whose status is now ours to write."""
        self.source.need(delta.needed, delta.unneeded)
        if self.status is not None:
            self.status.note([ObjectKey("Ingress", *turned) for turned in delta.turned])

    def taken(self, batch: ClusterBatch) -> None:
        """A batch is in the store."""
        if self.status is None:
            return
        keys = [change.object.key if isinstance(change, Upsert) else change.key for change in batch.changes]
        concerned = any(key.kind in _OF_ADDRESSES for key in keys) or (batch.settled and not self.addresses.now)
        if concerned and self.addresses.refresh():
            self.status.note_all()
        self.status.note(keys)

    async def resign(self) -> None:
        """Stops to write, and gives the lead to another replica. What was written stays."""
        tasks, self._tasks = self._tasks, []
        await end(tasks)
        if self.elector is not None and tasks:
            await self.elector.release()

    async def close(self) -> None:
        """Closes the connections."""
        await self.resign()
        await self._connection.close()

    def _leading(self) -> bool:
        return self.elector is not None and self.elector.leading

    def _lead(self, leading: bool) -> None:
        if self.status is not None:
            self.status.note_all()
        if leading and self.events is not None:
            self.events.restate(self._standing())

    def _standing(self) -> list[Problem]:
        """The problems that may be stated as Events."""
        return [problem for problem in self._book.problems() if _is_covered(self._options, problem)]


def _is_covered(options: ClusterOptions, problem: Problem) -> bool:
    """Whether an Event may be written where the object is; those of the cluster's objects go to `default`."""
    return problem.object is None or options.covers(problem.object.namespace or "default")


def _of_covered(options: ClusterOptions, tell: Callable[[Problem], None]) -> Callable[[Problem], None]:
    def call(problem: Problem) -> None:
        if _is_covered(options, problem):
            tell(problem)

    return call


def _manager(config: Config) -> str:
    """As who we own the status of Ingresses. Installations that share a controller class are told apart by name."""
    if not config.ingress_class_by_name:
        return config.controller_class
    return f"{config.controller_class}:{config.ingress_class}"[:_LONGEST_MANAGER]


def _fixed(config: Config) -> list[LoadBalancerIngress]:
    try:
        return [parse_address(text) for text in config.publish_status_address]
    except ValueError as error:
        raise ConfigError(f"--publish-status-address: {error}") from None


def _name_of(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    namespace, _, name = text.partition("/")
    return namespace, name
