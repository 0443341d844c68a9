"""The source of manifests: scans, watches, and says what changed.

It joins the parts and keeps the order: what a file says goes to the catalog, and the catalog's answer is the batch.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple

import msgspec

from fastingress.problems import Origin, Problem
from fastingress.sources.manifests.batch import Batch
from fastingress.sources.manifests.catalog import Catalog
from fastingress.sources.manifests.documents import read_content
from fastingress.sources.manifests.reading import (
    BeingWritten,
    Content,
    Missing,
    Signature,
    Unreadable,
    read_file,
)
from fastingress.sources.manifests.tree import Denied, File, Root, Strange, place_of, roots_of, strangeness, walk
from fastingress.sources.manifests.watching import Dirty, Watcher

GRACE = 0.04
"""Seconds that a file may be gone before its objects go: editors and scripts remove a file and write it anew."""
FIRST_LOOK, LAST_LOOK = 0.002, 0.5
"""Seconds after which a file that is open for writing is looked at again, at first and at most.

Its close is an event, but that comes a moment before the kernel counts the file as closed.
"""


class _Wait(NamedTuple):
    """When to look again at a file that is open for writing."""

    deadline: float
    delay: float


class ManifestSource:
    """Objects from files and folders. One consumer at a time.

    `paths` are files or folders; folders are read with all that is in them. `clock` gives seconds that never go back.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = [os.fspath(path) for path in paths]
        self._clock = clock
        self._catalog = Catalog()
        self._signatures: dict[str, Signature] = {}
        self._roots: list[Root] = []
        self._gone: dict[str, float] = {}
        self._folder_problems: dict[str, Problem] = {}
        self._waiting: dict[str, _Wait] = {}
        """Files that are open for writing."""
        self._parsed = 0

    def scan(self) -> Batch:
        """Reads all there is, and answers all of it.

        Raises ManifestPathError for a path that is not there or cannot be read.
        """
        self._roots = roots_of(self._paths)
        self._look(None)
        for path in list(self._gone):
            self._forget(path)
        changes, problems = self._catalog.everything()
        problems |= {path: self._problems(path) for path in self._folder_problems}
        return Batch(changes, problems, self._take_parsed())

    async def watch(self) -> AsyncGenerator[Batch, None]:
        """What changed since the last batch, for ever; the first one is all there is unless a scan went before.

        Raises ManifestPathError for a path that is not there at the start. The first batch may be empty.
        """
        self._roots = roots_of(self._paths)
        with Watcher(self._roots, self._clock) as watcher:
            yield await asyncio.to_thread(self._update, watcher, None)
            while True:
                dirty = await watcher.changes(self._next_deadline())
                received = self._clock()
                batch = await asyncio.to_thread(self._update, watcher, dirty)
                if batch:
                    yield msgspec.structs.replace(batch, received=received)

    def _update(self, watcher: Watcher, dirty: Dirty | None) -> Batch:
        """What came of the files that are dirty; None: of all. Runs on a thread; nobody else is at work then."""
        folders_before = dict(self._folder_problems)
        if dirty is None or dirty.everything:
            self._look(watcher)
        if dirty is None:
            self._tell_waiting()
        else:
            now = self._clock()
            due = {path for path, wait in self._waiting.items() if wait.deadline <= now}
            for path in sorted(dirty.files | due):
                self._read(path, watcher)
        self._expire()
        changes, problems = self._catalog.settle()
        for path in folders_before.keys() | self._folder_problems.keys():
            if path in problems or folders_before.get(path) != self._folder_problems.get(path):
                problems[path] = self._problems(path)
        return Batch(changes, problems, self._take_parsed())

    def _problems(self, path: str) -> list[Problem]:
        """All that is wrong with a path: a file that is itself a root can be in trouble in both ways."""
        way = self._folder_problems.get(path)
        return [*([way] if way else []), *self._catalog.problems(path)]

    def _look(self, watcher: Watcher | None) -> None:
        """Walks all roots, reads what differs, and notes what is gone."""
        seen: set[str] = set()
        self._folder_problems.clear()
        if watcher is not None:
            watcher.begin()
        for root in self._roots:
            self._look_below(root, seen, watcher)
        if watcher is not None:
            for path, reason in watcher.finish().items():
                self._note_folder(path, "UnwatchedFolder", f"edits here will not be seen: {reason}")
        for path in self._catalog.paths():
            if path not in seen:
                self._leave(path)

    def _look_below(self, root: Root, seen: set[str], watcher: Watcher | None) -> None:
        for item in walk(root, watcher.add_folder if watcher else _no_watch):
            if isinstance(item, Denied):
                self._note_folder(item.path, "UnreadablePath", f"cannot be read: {item.reason}")
            elif isinstance(item, Strange):
                seen.add(item.path)
                self._miss(item.path)
            else:
                seen.add(item.path)
                self._meet(item, watcher)
        if not os.path.exists(root.path):
            message = "--manifests: the path is gone; it is read again as soon as it is back"
            self._note_folder(root.path, "ManifestsGone", message)

    def _meet(self, item: File, watcher: Watcher | None) -> None:
        if watcher is not None:
            watcher.add_file(item)
        if self._signatures.get(item.path) == item.signature and not self._catalog.has_trouble(item.path):
            self._return(item.path)
        else:
            self._read(item.path, watcher)

    def _note_folder(self, path: str, code: str, message: str) -> None:
        self._folder_problems.setdefault(path, Problem(code, "error", None, message, Origin(path, 1, 0)))

    def _read(self, path: str, watcher: Watcher | None) -> None:
        outcome = read_file(path, settled=watcher is not None)
        if isinstance(outcome, Content) and not outcome.certain and watcher is not None and watcher.being_written(path):
            outcome = BeingWritten()
        waited = self._waiting.pop(path, None)
        if isinstance(outcome, Missing):
            self._miss(path)
            return
        self._return(path)
        if isinstance(outcome, BeingWritten):
            self._signatures.pop(path, None)
            delay = min(2 * waited.delay, LAST_LOOK) if waited else FIRST_LOOK
            self._waiting[path] = _Wait(self._clock() + delay, delay)
        elif isinstance(outcome, Unreadable):
            self._catalog.failed(path, _unreadable(path, outcome.reason))
        else:
            self._take(path, outcome)

    def _take(self, path: str, outcome: Content) -> None:
        before = self._catalog.content(path)
        content = read_content(outcome.data, path, place_of(path, self._roots), before)
        self._parsed += content.parsed
        self._signatures[path] = outcome.signature
        if before is None or content.placed is not before.placed or self._catalog.has_trouble(path):
            self._catalog.read(path, content)

    def _tell_waiting(self) -> None:
        """At the start a file that is being written has nothing that could stand in for it."""
        for path in self._waiting:
            if self._catalog.content(path) is None:
                message = "is open for writing by another process; it is read as soon as that one closes it"
                self._catalog.failed(path, Problem("BeingWritten", "warning", None, message, Origin(path, 1, 0)))

    def _miss(self, path: str) -> None:
        """No file is there. What it said holds for a moment; without anything to hold, what is in its place is told."""
        reason = strangeness(path) if self._catalog.content(path) is None else ""
        if not reason:
            self._leave(path)
            return
        self._return(path)
        self._catalog.failed(path, _unreadable(path, reason))

    def _leave(self, path: str) -> None:
        if self._catalog.leave(path):
            self._gone.setdefault(path, self._clock() + GRACE)

    def _return(self, path: str) -> None:
        self._gone.pop(path, None)
        self._catalog.back(path)

    def _next_deadline(self) -> float | None:
        return min([*self._gone.values(), *(wait.deadline for wait in self._waiting.values())], default=None)

    def _expire(self) -> None:
        now = self._clock()
        for path in [path for path, deadline in self._gone.items() if deadline <= now]:
            self._forget(path)

    def _forget(self, path: str) -> None:
        self._catalog.forget(path)
        self._signatures.pop(path, None)
        self._gone.pop(path, None)
        self._waiting.pop(path, None)
        if not any(root.path == path for root in self._roots):
            self._miss(path)

    def _take_parsed(self) -> int:
        parsed, self._parsed = self._parsed, 0
        return parsed


def _unreadable(path: str, reason: str) -> Problem:
    return Problem("UnreadableFile", "error", None, f"cannot be read: {reason}", Origin(path, 1, 0))


def _no_watch(path: str) -> None:
    """A scan does not watch."""
