"""The composition root: makes the parts, starts them in order, and stops them in order. No logic.

    source -> store -> translator -> publisher -> core

Start: bind every port, so that a port in use fails at once; read the source; publish the first table; serve; be ready.
Stop: not ready, go on accepting for a while, drain, end.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fastingress import _core, collector, observe
from fastingress.config import Config
from fastingress.control import Control
from fastingress.errors import ConfigError, FastingressError, StartError, worded
from fastingress.model import Settings
from fastingress.publish import Outcome, ProblemBook, Published, Publisher, Refusals, decode_scopes, publish
from fastingress.signals import Signals
from fastingress.sources.manifests import Batch, ManifestPathError, ManifestSource
from fastingress.translate import Delta, Options, Translator

_log = logging.getLogger("fastingress")
_SHOW_PROBLEMS_AFTER = 0.05
_VERIFY_AFTER = 0.2
_SWITCH_AFTER = 0.001
"""Seconds after which a thread that parses lets the loop have the interpreter; by default it is five milliseconds."""


@dataclass(frozen=True)
class Snapshot:
    """What a source says at one moment, compiled."""

    table: _core.Table
    book: ProblemBook
    refusals: Refusals

    def verify_certificates(self) -> None:
        """Check the keys of all certificates; what is wrong goes to the book."""
        self.book.update(self.refusals.by_scope(decode_scopes(self.table.verify_certificates())))


def compile_once(config: Config) -> Snapshot:
    """Read the source once and compile it, without a data path. Raises `ConfigError`, `StartError`."""
    translator = Translator(translate_options(config))
    control = Control(translator, ProblemBook())
    control.take(_scan(_source(config)))
    table = _core.Table()
    outcome = publish(table, Published(), translator.state(), full=True)
    if outcome.report is None:
        raise StartError(f"the manifests could not be compiled: {outcome.error}") from outcome.error
    refusals = Refusals(control.store.view(), translator.owners)
    control.book.update(refusals.by_scope(outcome.report.problems))
    return Snapshot(table, control.book, refusals)


class Service:
    """A gateway that follows its source. Lives in one asyncio loop."""

    def __init__(self, config: Config, *, published: Callable[[], None] | None = None) -> None:
        """Binds the ports; nothing is accepted yet. `published` is told of each table.

        Raises `ConfigError`, `StartError`.
        """
        self._config = config
        self._source = _source(config)
        self.core = _bind(config)
        self.book = ProblemBook(raised=observe.log_raised, cleared=observe.log_cleared, changed=self._show_soon)
        translator = Translator(translate_options(config))
        self.control = Control(translator, self.book)
        self._refusals = Refusals(self.control.store.view(), translator.owners)
        self.publisher = Publisher(self.core, self.book, self._refusals, resync=translator.state, published=self._note)
        self.outcome: Outcome | None = None
        """Of the last change set."""
        self._tell = published
        self._unverified = asyncio.Event()
        self._reported: set[str] = set()
        self._showing: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._first: asyncio.Future[None]

    async def start(self) -> None:
        """Read the source, publish the first table, serve. Raises `StartError`."""
        self._first = asyncio.get_running_loop().create_future()
        work = (self.publisher.run(), self._follow(), self._verify())
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
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(self.core.stop)

    def close(self) -> None:
        """End now, whatever the state; a second time does nothing."""
        for task in self._tasks:
            if not task.cancel() and not task.cancelled():
                task.exception()  # taken note of: one part's end is enough to report
        self.core.stop()

    async def _follow(self) -> None:
        await self.control.follow(self._source.watch(), self._submit)

    def _submit(self, delta: Delta) -> None:
        self.publisher.submit(delta.upserts, delta.removals)
        if not self._first.done():
            self._first.set_result(None)

    async def _verify(self) -> None:
        """Checks keys and names of new certificates, after the table that holds them is live."""
        while True:
            await self._unverified.wait()
            await asyncio.sleep(_VERIFY_AFTER)
            self._unverified.clear()
            self._reported.clear()
            found = decode_scopes(await asyncio.to_thread(self.core.verify_certificates))
            # What was reported of a certificate meanwhile is of a newer one, whose turn comes next.
            current = [(scope, problems) for scope, problems in found if scope not in self._reported]
            self.book.update(self._refusals.by_scope(current))

    def _note(self, outcome: Outcome) -> None:
        self.outcome = outcome
        _tell(outcome)
        if outcome.report is not None:
            self._reported.update(scope for scope, _ in outcome.report.problems)
            if outcome.report.compiled.certificates or outcome.report.compiled.hosts:
                self._unverified.set()
        if self._tell is not None:
            self._tell()

    def _show_soon(self) -> None:
        """A burst of problems is shown at the admin port once."""
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_later(_SHOW_PROBLEMS_AFTER, self._show_now)

    def _show_now(self) -> None:
        self._showing = None
        self.core.set_problems(self.book.to_json())


def run(config: Config, *, warnings: Sequence[str] = ()) -> int:
    """Serve until a signal asks to stop; the exit status. `warnings` are logged.

    Raises `ConfigError` and, whatever else goes wrong, `StartError`.
    """
    try:
        writer = observe.setup(config.log_level, config.log_format)
    except RuntimeError as error:
        raise StartError(f"cannot start: {worded(error)}") from error
    for warning in warnings:
        _log.warning("%s", warning)
    sys.setswitchinterval(_SWITCH_AFTER)
    try:
        with collector.deferred():
            return asyncio.run(_run(config))
    except FastingressError:
        raise
    except Exception as error:
        # A loop that cannot close for lack of threads must not hide why it was closed.
        if isinstance(error.__context__, FastingressError):
            raise error.__context__ from error.__context__.__cause__
        raise StartError(f"cannot go on: {worded(error)}") from error
    finally:
        writer.flush(1.0)


async def _run(config: Config) -> int:
    service = Service(config)
    try:
        stopping = asyncio.ensure_future(Signals(_core.watch_signals).first())
        if await _unless(stopping, service.start()):
            collector.resume()
            _log.info("%s", await asyncio.to_thread(_ready_line, service))
            await _unless(stopping, service.ended())
            await _wind_down(service, config, stopping.result())
    finally:
        service.close()
    return 0


async def _unless(stopping: asyncio.Future[signal.Signals], work: Coroutine[Any, Any, None]) -> bool:
    """Does the work to its end, True, or until a signal asks to stop. Raises what the work raises."""
    task = asyncio.ensure_future(work)
    waiting: set[asyncio.Future[Any]] = {task, stopping}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
        return not stopping.done()
    task.cancel()
    return False


async def _wind_down(service: Service, config: Config, received: signal.Signals) -> None:
    service.core.set_ready("shutting down")
    delay = 0.0 if received is signal.SIGINT else config.shutdown_delay
    _log.info("%s: not ready any more, accepting for another %gs", received.name, delay)
    await asyncio.sleep(delay)
    _log.info("draining for at most %gs; a second signal ends at once", config.drain_timeout)
    if await service.stop(drain=config.drain_timeout):
        _log.info("stopped")
    else:
        _log.warning("stopped with requests still in flight: --drain-timeout is over")


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


def _ready_line(service: Service) -> str:
    addresses = service.core.addresses()
    places = [f"{name} on {_place(host, port)}" for name, found in addresses.items() for host, port in found]
    ingresses = len(service.control.store.view().list("Ingress"))
    routes = len(msgspec.json.decode(service.core.routes(), type=list[msgspec.Raw]))
    problems = len(service.book)
    return f"ready: {', '.join(places)}; Ingresses: {ingresses}, routes: {routes}, problems: {problems}"


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _source(config: Config) -> ManifestSource:
    if not config.manifests:
        raise ConfigError("--manifests: give a folder or file of manifests; following a cluster is not available yet")
    return ManifestSource(config.manifests)


def _scan(source: ManifestSource) -> Batch:
    try:
        return source.scan()
    except ManifestPathError as error:
        raise ConfigError(str(error)) from error


def _bind(config: Config) -> _core.Gateway:
    if config.http_port is None and config.https_port is None:
        raise ConfigError("--http-port, --https-port: both are off, there is nothing to serve")
    try:
        return _core.Gateway(core_options(config))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise StartError(_text(error)) from error


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).split(" (os error")[0]


def translate_options(config: Config) -> Options:
    """What translation needs of the configuration. Raises `ConfigError`."""
    try:
        return Options(
            ingress_class=config.ingress_class,
            watch_without_class=config.watch_ingress_without_class,
            compat=config.compat,
            default_backend_service=config.default_backend_service or "",
            default_ssl_certificate=config.default_ssl_certificate or "",
            trusted_proxies=config.trusted_proxies,
            allow_local_endpoints=True,
            settings=Settings(
                body_limit=config.body_limit,
                connect_timeout_ms=_milliseconds(config.connect_timeout),
                read_timeout_ms=_milliseconds(config.read_timeout),
                send_timeout_ms=_milliseconds(config.send_timeout),
            ),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def core_options(config: Config) -> bytes:
    """What the data path is started with: `options.rs` in `rust/proxy`, as msgpack."""
    return msgspec.msgpack.encode(
        {
            "http_port": config.http_port,
            "https_port": config.https_port,
            "bind": config.bind,
            "admin_port": config.admin_port,
            "admin_bind": config.admin_bind,
            "workers": config.workers,
            "access_log": config.access_log,
            "ssl_protocols": config.ssl_protocols,
            "ssl_ciphers": config.ssl_ciphers,
            "head_timeout_ms": _milliseconds(config.head_timeout),
            "idle_timeout_ms": _milliseconds(config.idle_timeout),
            "body_timeout_ms": _milliseconds(config.body_timeout),
            "handshake_timeout_ms": _milliseconds(config.handshake_timeout),
            "connection_limit": config.max_connections,
            "metrics_per_ingress": config.metrics_per_ingress,
            "version": _core.__version__,
        }
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
