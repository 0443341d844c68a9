"""Writes the addresses of the gateway into the status of the Ingresses that are ours; the leader alone does.

Level-triggered: a key says only "look at this Ingress". What is wanted is compared with what the store shows, and
written when it differs, by a server-side apply with a manager of our own and without force:

- ours, and the status differs: apply the addresses;
- not ours, and our manager owns fields of the status: apply none, which takes away ours and no one else's;
- no addresses are known: leave what is there;
- another manager owns the status: a problem, and nothing is written until that manager is gone.

When the process ends nothing is written: the addresses stay.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, NamedTuple

from fastingress.api import APPLY, CONFLICT, NOT_FOUND, ApiError, Calls, Unreachable
from fastingress.objects import Ingress, ObjectKey
from fastingress.problems import Problem
from fastingress.status.answers import is_another_object, is_transient, owner_named
from fastingress.status.counters import StatusCounters
from fastingress.status.denials import Denials, is_denied
from fastingress.status.ledger import Addresses, Record, Seen
from fastingress.status.pacing import Brake, passed
from fastingress.status.queue import DueQueue
from fastingress.store import View
from fastingress.tasks import end

_log = logging.getLogger("fastingress.status")

AT_ONCE = 16
"""Writes under way at once."""
_TIMEOUT = 4.0
"""Seconds: shorter than what lies between the end of one leader and the begin of the next."""
_PAGE = 100
"""Ingresses that are looked at between two pauses of the loop."""

Problems = Callable[[Mapping[str, Iterable[Problem]]], object]
"""Takes all problems of each scope, as `ProblemBook.update` does."""


class _Write(NamedTuple):
    ingress: Ingress
    wanted: Addresses
    seen: Seen


class StatusWriter:
    """Keeps the status of Ingresses as it should be, from within one asyncio loop.

    `ours` says whether the Ingress of that namespace and name is of our class; `addresses` are those of the gateway,
    sorted, none when they are not known. `manager` names us as the owner of what we write: no other installation may
    have the same.
    """

    def __init__(
        self,
        api: Calls,
        view: View,
        *,
        manager: str,
        leading: Callable[[], bool],
        ours: Callable[[str, str], bool],
        addresses: Callable[[], Addresses],
        problems: Problems,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self.counters = StatusCounters()
        self._api = api
        self._view = view
        self._manager = manager
        self._leading = leading
        self._ours = ours
        self._addresses = addresses
        self._problems = problems
        self._clock = clock
        self._random = random or Random()
        self._queue = DueQueue[ObjectKey](clock)
        self._records: dict[ObjectKey, Record] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._brake = Brake(clock)
        self._denials = Denials("patch ingresses/status (networking.k8s.io)", clock)
        self._busy: set[ObjectKey] = set()
        self._noted_meanwhile: set[ObjectKey] = set()
        self._stated: set[ObjectKey] = set()
        self._conflicts: set[ObjectKey] = set()

    def note(self, keys: Iterable[ObjectKey]) -> None:
        """These may have changed, or may have become or ceased to be ours. Keys of other kinds are passed over."""
        for key in keys:
            if key.kind == Ingress.kind:
                (self._noted_meanwhile.add if key in self._busy else self._queue.add)(key)
        self._count()

    def note_all(self) -> None:
        """The addresses changed, or who leads."""
        self.note([ingress.key for ingress in self._view.list("Ingress")])
        self.note(list(self._records))

    async def run(self) -> None:
        """Write until cancelled. Outlives every failure."""
        tasks: set[asyncio.Task[None]] = set()
        looked_at = 0
        try:
            while True:
                write = await self._next()
                if write is not None:
                    task = asyncio.create_task(self._write(write))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                looked_at += 1
                if looked_at % _PAGE == 0:
                    await asyncio.sleep(0)
        finally:
            await end(tasks)

    async def _next(self) -> _Write | None:
        """Look at the next Ingress as soon as one more write may be made. The slot is kept if there is one."""
        await self._slots.acquire()
        write = None
        try:
            key = await self._queue.take()
            await passed(self._brake.wait)
            write = self._plan(key)
            if write is not None:
                self._busy.add(key)
            self._count()
        except Exception as error:  # one Ingress must not end the writing of all others
            _log.error("the status of %s could not be worked out", key, exc_info=error)
        finally:
            if write is None:
                self._slots.release()
        return write

    def _plan(self, key: ObjectKey) -> _Write | None:
        """What is to be written now; None when nothing is, or not yet."""
        if not self._leading():
            self._forget(key)
            return None
        ingress = self._view.get("Ingress", key.namespace, key.name)
        record = self._records.get(key)
        if ingress is None or (record is not None and record.uid != ingress.metadata.uid):
            self._forget(key)
            record = None
        if ingress is None:
            return None
        seen = Seen.of(ingress)
        wanted = self._wanted(ingress, seen)
        if wanted is None:
            self._settle(key, record)
            return None
        wait = self._wait(key, record, wanted, seen)
        if wait is None or wait > 0:
            if wait is not None:
                self._queue.add_later(key, wait)
            return None
        return _Write(ingress, wanted, seen)

    def _wanted(self, ingress: Ingress, seen: Seen) -> Addresses | None:
        """The addresses that are to be written, none to withdraw ours; None when all is well or nothing is known."""
        if self._ours(ingress.metadata.namespace, ingress.metadata.name):
            addresses = tuple(sorted(self._addresses()))
            return addresses if addresses and addresses != seen.addresses else None
        return () if self._manager in seen.managers else None

    def _wait(self, key: ObjectKey, record: Record | None, wanted: Addresses, seen: Seen) -> float | None:
        wait = record.wait(wanted, seen, self._clock()) if record is not None else 0.0
        return self._denials.wait(key.namespace) if wait == 0 else wait

    def _settle(self, key: ObjectKey, record: Record | None) -> None:
        if record is not None:
            record.settled()
            self._state(key, record)

    def _forget(self, key: ObjectKey) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            record.settled()
            self._state(key, record)

    async def _write(self, write: _Write) -> None:
        key = write.ingress.key
        record = self._records.setdefault(key, Record(write.ingress.metadata.uid))
        try:
            await self._apply(write)
        except ApiError as error:
            self._answered(key, record, write, error)
        except Unreachable as error:
            self.counters.writes["failed"] += 1
            self._brake.failed(error)
            self._queue.add_later(key, record.failed(self._clock(), self._random))
        else:
            self.counters.writes["written" if write.wanted else "withdrawn"] += 1
            self._brake.worked()
            self._denials.allowed(key.namespace)
            record.written(write.wanted, write.seen, self._clock())
            self._state(key, record)
        finally:
            self._busy.discard(key)
            if key in self._noted_meanwhile:
                self._noted_meanwhile.discard(key)
                self._queue.add(key)
            self._slots.release()
            self._count()

    async def _apply(self, write: _Write) -> None:
        meta = write.ingress.metadata
        body: dict[str, Any] = {
            "apiVersion": Ingress.api_version,
            "kind": Ingress.kind,
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        }
        if write.wanted:
            entries = [{"ip": at.ip} if at.ip else {"hostname": at.hostname} for at in write.wanted]
            body["status"] = {"loadBalancer": {"ingress": entries}}
        path = f"/apis/networking.k8s.io/v1/namespaces/{meta.namespace}/ingresses/{meta.name}/status"
        query = {"fieldManager": self._manager, "force": "false"}
        await self._api.call("PATCH", path, query=query, body=body, content_type=APPLY, timeout=_TIMEOUT)

    def _answered(self, key: ObjectKey, record: Record, write: _Write, error: ApiError) -> None:
        """The server did not take it: whose fault is it, and when is it tried again?"""
        now, writes = self._clock(), self.counters.writes
        owner = owner_named(error) if error.status == CONFLICT else ""
        if is_transient(error) or (error.status == CONFLICT and not owner):
            writes["failed"] += 1
            self._brake.failed(error)
            self._queue.add_later(key, record.failed(now, self._random, least=error.retry_after or 0.0))
            return
        self._brake.worked()
        if error.status == NOT_FOUND or is_another_object(error):
            writes["gone"] += 1
            self._forget(key)
        elif is_denied(error):
            writes["denied"] += 1
            self._denials.denied(key.namespace, error)
            self._queue.add_later(key, self._denials.wait(key.namespace))
        elif owner:
            writes["conflict"] += 1
            self._queue.add_later(key, record.conflicted(owner, write.seen, now, self._random))
            self._state(key, record, conflict(write.ingress, owner))
        else:
            writes["refused"] += 1
            self._queue.add_later(key, record.failed(now, self._random, slow=True))
            message = f"status: the API server refuses the addresses of this gateway: {error.message or error}"
            self._state(key, record, Problem("StatusRefused", "warning", write.ingress.ref, message))

    def _state(self, key: ObjectKey, record: Record, *problems: Problem) -> None:
        """All that is wrong with the status of this Ingress."""
        (self._conflicts.add if record.owner else self._conflicts.discard)(key)
        if problems or key in self._stated:
            (self._stated.add if problems else self._stated.discard)(key)
            self._problems({f"status/{key.namespace}/{key.name}": problems})

    def _count(self) -> None:
        self.counters.queued = len(self._queue) + len(self._busy)
        self.counters.conflicts = len(self._conflicts)


def conflict(ingress: Ingress, owner: str) -> Problem:
    """Another manager owns the status of an Ingress that is ours."""
    meta = ingress.metadata
    patch = """--subresource=status --type=merge -p '{"status":null}'"""
    message = (
        f"status: it is owned by {owner}, so the addresses of this gateway are not written. If that controller serves"
        " this Ingress too, take the class from one of the two; if it is gone, remove what it left:"
        f" kubectl patch ingress {meta.name} -n {meta.namespace} {patch}"
    )
    return Problem("StatusConflict", "warning", ingress.ref, message)
