"""A service from its start to its end, as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from fastingress import _core, collector, observe
from fastingress.app.service import Service
from fastingress.config import Config
from fastingress.errors import FastingressError, StartError, worded
from fastingress.signals import Signals

_log = logging.getLogger("fastingress")
_SWITCH_AFTER = 0.001
"""Seconds after which a thread that parses lets the loop have the interpreter; by default it is five milliseconds."""


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
            _log.info("%s", _ready_line(service))
            await _unless(stopping, service.ended())
            await _wind_down(service, config, stopping.result())
    finally:
        await service.close()
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
    await service.resign()
    delay = 0.0 if received in (signal.SIGINT, signal.SIGHUP) else config.shutdown_delay
    _log.info("%s: not ready any more, accepting for another %gs", received.name, delay)
    await asyncio.sleep(delay)
    _log.info("draining for at most %gs; a second signal ends at once", config.drain_timeout)
    if await service.stop(drain=config.drain_timeout):
        _log.info("stopped")
    else:
        _log.warning("stopped with requests still in flight: --drain-timeout is over")


def _ready_line(service: Service) -> str:
    addresses = service.core.addresses()
    places = [f"{name} on {_place(host, port)}" for name, found in addresses.items() for host, port in found]
    ingresses = len(service.control.store.view().list("Ingress"))
    rules, problems = service.rules(), len(service.book)
    return f"ready: {', '.join(places)}; Ingresses: {ingresses}, rules: {rules}, problems: {problems}"


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
