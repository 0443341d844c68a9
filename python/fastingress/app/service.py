"""A gateway that follows its source.

    source -> store -> translator -> publisher -> core

Start: bind every port, so that a port in use fails at once; read the source; publish the first table; serve; be ready.
Stop: not ready, go on accepting for a while, drain, end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from fastingress import _core, observe
from fastingress.app.figures import Figures
from fastingress.app.options import core_options, translate_options
from fastingress.config import Config, refuse_contradictions, without_effect
from fastingress.control import Batch, Control
from fastingress.errors import ConfigError, FastingressError, StartError, worded
from fastingress.publish import Outcome, ProblemBook, Publisher, Refusals, decode_scopes
from fastingress.sources.manifests import ManifestPathError, ManifestSource
from fastingress.tasks import end
from fastingress.translate import Delta, Translator

if TYPE_CHECKING:
    from fastingress.app.cluster import ClusterSide
    from fastingress.sources.cluster.source import ClusterBatch

_log = logging.getLogger("fastingress")
_SHOW_PROBLEMS_AFTER = 0.05
_SHOW_METRICS_EVERY = 1.0
_TELL_WAITING_EVERY = 0.5
_VERIFY_AFTER = 0.2
_RETRY_PORTS_EVERY = 1.0
_VERIFY_EVERY = 600.0
"""Certificates grow old without a change to them."""
_PATIENCE = 2.0
"""Seconds that a Secret has to come from the API server before it is said to be missing."""


class Service:
    """A gateway that follows its source. Lives in one asyncio loop."""

    def __init__(self, config: Config, *, published: Callable[[], None] | None = None) -> None:
        """Binds the ports; nothing is accepted yet. `published` is told of each table.

        Raises `ConfigError`, `StartError`.
        """
        self._config = config
        refuse_contradictions(config)
        for line in without_effect(config):
            _log.warning("%s", line)
        options = translate_options(config)
        self.core = _bind(config)
        self.book = ProblemBook(raised=observe.log_raised, cleared=observe.log_cleared, changed=self._show_soon)
        self._translator = translator = Translator(options)
        self.control = Control(translator, self.book, patience=0.0 if config.manifests else _PATIENCE)
        self._refusals = Refusals(self.control.store.view(), translator.owners)
        self.publisher = Publisher(self.core, self.book, self._refusals, resync=translator.state, published=self._note)
        self.cluster: ClusterSide | None = None
        """What speaks to the API server, when the source is a cluster."""
        self._figures = Figures()
        self.outcome: Outcome | None = None
        """Of the last change set."""
        self._tell = published
        self._unverified = asyncio.Event()
        self._reported: set[str] = set()
        self._showing: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._first: asyncio.Future[None]

    async def start(self) -> None:
        """Read the source, publish the first table, serve. Raises `ConfigError`, `StartError`."""
        self._first = asyncio.get_running_loop().create_future()
        follow = await self._reader()
        work = (self.publisher.run(), follow, self._verify(), self._show_metrics(), self._retry_ports())
        self._tasks = [asyncio.create_task(one) for one in work]
        await _first_of(self._first, self._tasks)
        await _first_of(asyncio.ensure_future(self.publisher.settle()), self._tasks)
        if self.outcome is None or self.outcome.error is not None:
            raise StartError(f"the first table could not be compiled: {self.outcome and self.outcome.error}")
        self._show_now()
        try:
            await asyncio.to_thread(self.core.serve)
        except OSError as error:
            raise StartError(_text(error)) from error
        self.core.set_ready(None)
        if self.cluster is not None:
            self.cluster.start()

    def rules(self) -> int:
        """How many paths the Ingresses have that are served here.

        Asking the core for its routes would take a hundred times the memory of each for its JSON.
        """
        ours = [
            ingress
            for ingress in self.control.store.view().list("Ingress")
            if self._translator.is_ours(ingress.metadata.namespace, ingress.metadata.name)
        ]
        return sum(len(rule.http.paths) for ingress in ours for rule in ingress.spec.rules if rule.http)

    async def resign(self) -> None:
        """Leave to other replicas what only one of them does, at once."""
        if self.cluster is not None:
            await self.cluster.resign()

    async def ended(self) -> None:
        """Waits for a part to end by itself, which none should, and raises what it ended with."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        await _first_of(asyncio.get_running_loop().create_future(), self._tasks)

    async def stop(self, *, drain: float) -> bool:
        """Stop accepting, let requests in flight end for at most `drain` seconds, end.

        True when all ended by themselves.
        """
        self.core.set_ready("shutting down")
        try:
            return await asyncio.to_thread(self.core.drain, drain)
        finally:
            await self._end()
            await asyncio.to_thread(self.core.stop)

    async def close(self) -> None:
        """End now, whatever the state; a second time does nothing."""
        await self._end()
        self.core.stop()

    async def _end(self) -> None:
        await end(self._tasks)
        if self.cluster is not None:
            await self.cluster.close()

    async def _reader(self) -> Coroutine[Any, Any, None]:
        """What reads the source, for ever."""
        if self._config.manifests:
            return self.control.follow(ManifestSource(self._config.manifests).watch(), self._submit, self._taken)
        # The client of the API is not loaded unless there is a cluster.
        from fastingress.app.cluster import ClusterSide

        self.cluster = await ClusterSide.connect(self._config, self.control, self._translator, self.book)
        return self._follow_cluster(self.cluster)

    async def _follow_cluster(self, cluster: ClusterSide) -> None:
        # A table without its certificates is of no use to anyone, and compiling it takes the memory of a second one.
        waiting: list[tuple[Delta, Batch]] = []

        def submit(delta: Delta, batch: Batch) -> None:
            waiting.append((delta, batch))
            cluster.translated(delta)

        def taken(batch: ClusterBatch) -> None:
            cluster.taken(batch)
            if batch.settled:
                for each in waiting:
                    self._submit(*each)
                waiting.clear()
                self._taken(batch)

        self._tell_waiting(cluster)
        await self.control.follow(cluster.watch(), submit, taken, lambda batch: batch.settled)

    def _submit(self, delta: Delta, batch: Batch) -> None:
        self.publisher.submit(delta.upserts, delta.removals, received=batch.received)

    def _taken(self, batch: Batch) -> None:
        """Everything that the first table needs is there."""
        if not self._first.done():
            self._first.set_result(None)

    def _tell_waiting(self, cluster: ClusterSide) -> None:
        """As long as the source has not settled, whoever asks for readiness is told what is missing."""
        if self._first.done():
            return
        waiting = "; ".join(cluster.source.waiting_for()) or "for the first table"
        self.core.set_ready(f"waiting: {waiting}")
        asyncio.get_running_loop().call_later(_TELL_WAITING_EVERY, self._tell_waiting, cluster)

    async def _verify(self) -> None:
        """Checks keys and names of new certificates, after the table that holds them is live, and the age of all."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._unverified.wait(), _VERIFY_EVERY)
            await asyncio.sleep(_VERIFY_AFTER)
            self._unverified.clear()
            self._reported.clear()
            found = decode_scopes(await asyncio.to_thread(self.core.verify_certificates))
            # What was reported of a certificate meanwhile is of a newer one, whose turn comes next.
            current = [(scope, problems) for scope, problems in found if scope not in self._reported]
            self.book.update(self._refusals.by_scope(current))

    async def _retry_ports(self) -> None:
        """A port that somebody else has may become free."""
        while True:
            await asyncio.sleep(_RETRY_PORTS_EVERY)
            found = decode_scopes(await asyncio.to_thread(self.core.retry_streams))
            if found:
                self.book.update(self._refusals.by_scope(found))

    def _note(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._figures.note(outcome)
        _tell(outcome)
        if outcome.report is not None:
            self._reported.update(scope for scope, _ in outcome.report.problems)
            if outcome.report.compiled.certificates or outcome.report.compiled.hosts:
                self._unverified.set()
        if self._tell is not None:
            self._tell()

    async def _show_metrics(self) -> None:
        while True:
            self.core.set_more_metrics(self._figures.text(self.publisher.digest(), self.cluster).encode())
            await asyncio.sleep(_SHOW_METRICS_EVERY)

    def _show_soon(self) -> None:
        """A burst of problems is shown at the admin port once."""
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_later(_SHOW_PROBLEMS_AFTER, self._show_now)

    def _show_now(self) -> None:
        self._showing = None
        self.core.set_problems(self.book.to_json())


def _tell(outcome: Outcome) -> None:
    if outcome.report is None or not _log.isEnabledFor(logging.DEBUG):
        return
    fields: dict[str, Any] = {
        "generation": outcome.report.generation,
        "upserts": outcome.upserts,
        "removals": outcome.removals,
        "compiled": msgspec.structs.asdict(outcome.report.compiled),
        "seconds": round(outcome.since_submitted, 6),
        "work_seconds": round(outcome.seconds, 6),
    }
    _log.debug(
        "table %d is live: %d values sent and %d removed, %.1f ms after they were translated, %.1f ms of it work",
        fields["generation"],
        outcome.upserts,
        outcome.removals,
        outcome.since_submitted * 1000,
        outcome.seconds * 1000,
        extra={observe.FIELDS: {"event": "published", **fields}},
    )


async def _first_of(wanted: asyncio.Future[None], tasks: list[asyncio.Task[None]]) -> None:
    """Waits for `wanted`, or for a task that ends before, which is an error."""
    await asyncio.wait({wanted, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            error = task.exception()
            if isinstance(error, ManifestPathError):
                raise ConfigError(str(error)) from error
            if isinstance(error, FastingressError):
                raise error
            raise StartError(f"the control plane ended: {worded(error)}") from error


def _bind(config: Config) -> _core.Gateway:
    try:
        return _core.Gateway(core_options(config))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise StartError(_text(error)) from error


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).split(" (os error")[0]
