"""Endpoint changes in a stream: a minute of them by the real API server, recorded, and then the recording, faster."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from benches.cluster.access import Access
from benches.cluster.controller import Controller
from benches.cluster.plan import Plan
from benches.cluster.recording import Recording
from benches.cluster.replay import Replay
from tests.cluster.support.account import write_kubeconfig
from tests.support.client import RawClient, request_bytes

MOVING = 1000
"""Services whose endpoints move."""
_WRITERS = 4
_LONGEST = 60.0
_SHOWN_WITHIN = 1.5
"""Seconds until the page of metrics is newer."""
_FIRST_STEP = 1000
"""Other parts of the bench moved the endpoints less often than that."""
_BUCKET = re.compile(r'^fastingress_propagation_seconds_bucket\{le="([^"]+)"\} (\d+)', re.MULTILINE)


@dataclass(frozen=True)
class Streamed:
    """One stream."""

    changes: int
    seconds: float
    cores: float
    """Processor time of the controller by time, while the stream lasted."""
    empty_after_seconds: float
    """From the last change to when it is live."""
    stale: int
    """Services that do not answer by their last change then."""
    propagation_p99: float
    """The bound of the bucket that 99 of 100 change sets fall below, by the controller's own metric."""
    memory_bytes: int
    """Resident, after all that."""


def real(access: Access, plan: Plan, controller: Controller, rate: float, seconds: float) -> Streamed:
    """Changes at a steady rate through the API server."""
    count = int(rate * seconds)
    moving = min(MOVING, plan.ingresses)
    return _streamed(
        controller, plan, count, _last_steps(count, moving), lambda: _write(access, plan, count, moving, rate)
    )


def replayed(access: Access, ca_key: Path, folder: Path, plan: Plan, recording: Recording, rate: float) -> Streamed:
    """The recording, replayed at a rate of its own to a controller that knows nothing else."""
    count, moving = len(recording), min(MOVING, plan.ingresses)
    with ExitStack() as stack:
        server = stack.enter_context(Replay(recording, access.ca, ca_key, folder))
        config = write_kubeconfig(folder / "replayed.kubeconfig", server.address, access.ca, {"token": "replayed"})
        controller = stack.enter_context(Controller(config, "--no-publish-events"))
        controller.until_steady(2.0)
        return _streamed(controller, plan, count, _last_steps(count, moving), lambda: server.play(rate))


def _streamed(
    controller: Controller, plan: Plan, count: int, last: dict[int, int], play: Callable[[], float]
) -> Streamed:
    before = _buckets(controller)
    began, cpu = time.perf_counter(), controller.cpu_seconds()
    ended = play()
    cores = (controller.cpu_seconds() - cpu) / (time.perf_counter() - began)
    with closing(RawClient(controller.http)) as client:
        after = _until_live(client, plan, *list(last.items())[-1]) - ended
        stale = [index for index, step in last.items() if not _is_live(client, plan, index, step)]
    time.sleep(_SHOWN_WITHIN)
    late, (resident, _) = _p99(before, _buckets(controller)), controller.memory()
    return Streamed(count, ended - began, cores, after, len(stale), late, resident)


def _until_live(client: RawClient, plan: Plan, index: int, step: int) -> float:
    end = time.perf_counter() + _LONGEST
    while not _is_live(client, plan, index, step):
        if time.perf_counter() > end:
            raise RuntimeError(f"the last change is not live after {_LONGEST:g} s")
        time.sleep(0.0003)
    return time.perf_counter()


def _is_live(client: RawClient, plan: Plan, index: int, step: int) -> bool:
    return client.send(request_bytes(host=plan.host(index))).response().text == plan.address(index, step)


def _last_steps(count: int, moving: int) -> dict[int, int]:
    """How often each Service was moved, in the order of their last changes."""
    first = max(0, count - moving)
    return {number % moving: _FIRST_STEP + number // moving for number in range(first, count)}


def _write(access: Access, plan: Plan, count: int, moving: int, rate: float) -> float:
    began = time.perf_counter()
    ends: list[float] = []

    def work(worker: int) -> None:
        with closing(access.api()) as api:
            for number in range(worker, count, _WRITERS):
                time.sleep(max(0.0, began + number / rate - time.perf_counter()))
                index = number % moving
                change = {"endpoints": plan.endpoints(index, _FIRST_STEP + number // moving)}
                api.patch("EndpointSlice", plan.slice_name(index), change, plan.namespace(index))
        ends.append(time.perf_counter())

    writers = [threading.Thread(target=work, args=(worker,)) for worker in range(_WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if len(ends) < _WRITERS:
        raise RuntimeError("not all changes could be written")
    return max(ends)


def _buckets(controller: Controller) -> dict[float, int]:
    return {float(bound): int(count) for bound, count in _BUCKET.findall(controller.metrics().text)}


def _p99(before: dict[float, int], after: dict[float, int]) -> float:
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    total = max(counts.values(), default=0)
    return min((bound for bound, count in counts.items() if count >= 0.99 * total), default=0.0)
