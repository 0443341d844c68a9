"""The control loop: what a source says goes to the store, what that touches is translated, what differs is published.

    watch -> store (did it matter?) -> translate what it touches -> publish

Each batch is one pass. A defect in a pass is logged and becomes a problem; the table in use serves on, and the next
pass starts from everything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from fastingress.observe import FIELDS
from fastingress.problems import Problem
from fastingress.publish import ProblemBook
from fastingress.store import Change, Dependency, Store
from fastingress.translate import UNITS_OF_SECRETS, Delta, Translator

_log = logging.getLogger("fastingress.control")

_PAGE = 200
"""Changes that the store takes between two pauses: about a millisecond."""


class Batch(Protocol):
    """What a source says at once."""

    @property
    def changes(self) -> Iterable[Change]:
        """In their order."""
        ...

    @property
    def problems(self) -> Mapping[str, Iterable[Problem]]:
        """By the part of the source that they are about; each replaces what was said of that part before."""
        ...

    @property
    def received(self) -> float | None:
        """When the oldest of the changes arrived, by a clock that never goes back, if that is known."""
        ...


B = TypeVar("B", bound=Batch)


class Control:
    """Store, translator and book of problems, and the way of a batch through them."""

    def __init__(self, translator: Translator, book: ProblemBook, *, patience: float = 0.0) -> None:
        """`patience`: seconds for which a Secret that is read for the first time may still come."""
        self.store = Store()
        self.book = book
        self._translator = translator
        self._from_scratch = True
        self._ever = False
        self._patience = patience
        self._untold: dict[str, Iterable[Problem]] = {}
        self._held: set[str] = set()
        self._tells = False

    def take(self, batch: Batch) -> Delta | None:
        """One pass, short of publishing. None when nothing of the batch matters."""
        pages = self._pass(batch)
        while True:
            try:
                next(pages)
            except StopIteration as done:
                delta: Delta | None = done.value
                self._tell_untold()
                return delta

    async def follow(
        self,
        batches: AsyncIterator[B],
        publish: Callable[[Delta, B], None],
        taken: Callable[[B], None] = lambda batch: None,
        tells: Callable[[B], bool] = lambda batch: True,
    ) -> None:
        """Take every batch and hand what it changes to `publish`, then the batch to `taken`, until the source ends.

        What translation finds wrong is told from the first batch on of which `tells` is true: before that, things are
        missing that are only still to come.

        Long translations let others run every few milliseconds. Raises only what the very first pass raises.
        """
        async for batch in batches:
            began = time.perf_counter()
            try:
                delta = await _paged(self._pass(batch))
            except Exception as error:  # a defect must not end the process: the table in use serves on
                if not self._ever:
                    raise
                self._stumbled(error)
                taken(batch)
                continue
            self.book.update({"control": ()})
            if delta is not None and self._patience:
                self._hold(delta)
            self._tells |= tells(batch)
            if self._tells:
                self._tell_untold()
            if delta is not None:
                publish(delta, batch)
                _tell(delta, time.perf_counter() - began)
            taken(batch)

    def _pass(self, batch: Batch) -> Generator[None, None, Delta | None]:
        self.book.update({f"source/{part}": problems for part, problems in batch.problems.items()})
        scratch, self._from_scratch = self._from_scratch, True
        hit = yield from self._take_in(batch.changes)
        if not hit and not scratch:
            self._from_scratch = False
            return None
        delta = yield from self._translator.update_paged(self.store.view(), None if scratch else hit)
        self._from_scratch = False
        self._ever = True
        self._untold.update({f"translate/{unit}": problems for unit, problems in delta.problems.items()})
        return delta

    def _tell_untold(self) -> None:
        untold = {unit: problems for unit, problems in self._untold.items() if unit not in self._held}
        for unit in untold:
            del self._untold[unit]
        self.book.update(untold)

    def _hold(self, delta: Delta) -> None:
        """What is said of Secrets that are only now asked for waits a little: mostly they come."""
        fresh = {
            f"translate/{unit}:{each.namespace}/{each.name}"
            for each in delta.needed
            if each.kind == "Secret"
            for unit in UNITS_OF_SECRETS
        }
        self._held |= fresh
        if fresh:
            asyncio.get_running_loop().call_later(self._patience, self._let_go, fresh)

    def _let_go(self, units: set[str]) -> None:
        self._held -= units
        if self._tells:
            self._tell_untold()

    def _take_in(self, changes: Iterable[Change]) -> Generator[None, None, set[Dependency]]:
        """All that the changes hit."""
        rest = iter(changes)
        hit = self.store.apply(islice(rest, _PAGE))
        while page := list(islice(rest, _PAGE)):
            yield
            hit |= self.store.apply(page)
        return hit

    def _stumbled(self, error: Exception) -> None:
        _log.error("a change could not be translated", exc_info=error)
        message = f"a change could not be translated, the last table serves on: {error!r}"
        self.book.update({"control": [Problem("InternalError", "error", None, message)]})


def _tell(delta: Delta, seconds: float) -> None:
    if not _log.isEnabledFor(logging.DEBUG):
        return
    fields = {**msgspec.structs.asdict(delta.counts), "seconds": round(seconds, 6)}
    message = "translated %d Ingresses and %d endpoint sets in %.1f ms"
    counts = (delta.counts.ingresses, delta.counts.endpoint_sets)
    _log.debug(message, *counts, seconds * 1000, extra={FIELDS: {"event": "translated", **fields}})


async def _paged(pages: Generator[None, None, Delta | None]) -> Delta | None:
    while True:
        try:
            next(pages)
        except StopIteration as done:
            delta: Delta | None = done.value
            return delta
        await asyncio.sleep(0)
