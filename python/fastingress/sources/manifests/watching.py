"""inotify events into the set of files to look at.

Only what happened is told, not what it means: the source looks at the files, and looking once too often is harmless.
Files count as dirty when they are closed after writing or moved into place. Whatever changes the shape of the tree
asks for a walk of all of it, which costs a few microseconds per file.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from types import TracebackType

from asyncinotify import Event, Inotify, Mask, Watch
from msgspec import Struct

from fastingress.errors import StartError, worded
from fastingress.sources.manifests.tree import File, Root, is_manifest_name

QUIET = 0.002
"""Seconds without an event after which a burst is over."""
LONGEST = 0.02
"""Seconds after which a burst is handed on even if it is not over."""

_SHAPE = Mask.CREATE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE
_SELF = Mask.DELETE_SELF | Mask.MOVE_SELF
_FOLDER = _SHAPE | _SELF | Mask.CLOSE_WRITE | Mask.MODIFY | Mask.ATTRIB
_MOUNT_LINK = "..data"
_MOST_LINKS = 40


class Dirty(Struct):
    """What to look at."""

    files: set[str]
    everything: bool = False
    """The shape of the tree changed, or events were lost."""

    def __bool__(self) -> bool:
        return self.everything or bool(self.files)


class _Watched:
    """What one watch descriptor is for."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.folders: set[str] = set()
        """The folder's paths, as the user would name them: links can give it several."""
        self.files: dict[str, set[str]] = {}
        """By name in the folder: paths of files that are read from there though the folder is not one of ours."""
        self.lookouts: set[str] = set()
        """Names on the way to a root."""


class Watcher:
    """Watches the folders and files that it is told of, and the ways that lead to the roots.

    `begin`, any number of `add_folder` and `add_file`, and `finish` replace what is watched.
    """

    def __init__(self, roots: list[Root], clock: Callable[[], float]) -> None:
        self.roots = roots
        self._clock = clock
        self._inotify = _open_inotify()
        self._watched: dict[int, _Watched] = {}
        self._fresh: dict[int, _Watched] = {}
        self._denied: dict[str, str] = {}
        self._writing: set[str] = set()
        self._pending = Dirty(set())

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inotify.close()

    async def changes(self, deadline: float | None) -> Dirty:
        """Waits for something to look at, and for the burst it is part of to be over; or until the deadline."""
        self._drain()
        while not self._pending:
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                return Dirty(set())
            await self._readable(left)
            self._drain()
        end = self._clock() + LONGEST
        while self._clock() < end and await self._readable(QUIET):
            self._drain()
        dirty, self._pending = self._pending, Dirty(set())
        return dirty

    def being_written(self, path: str) -> bool:
        """Whether events say that a file was written to and not closed since."""
        self._drain()
        return path in self._writing

    def begin(self) -> None:
        """From here on what is watched is told anew."""
        self._fresh = {}
        self._denied = {}

    def add_folder(self, path: str) -> None:
        """Watches a folder of manifests. To be called before the folder is listed, so that nothing is missed."""
        if watched := self._add(path, _FOLDER, path):
            watched.folders.add(path)

    def add_file(self, item: File) -> None:
        """Watches what a folder's own watch does not see: where a link leads, and a file that is itself a root."""
        targets = {os.path.realpath(item.path)} if item.link else set()
        targets |= {root.path for root in self.roots if root.path == item.path}
        for target in targets:
            folder, name = os.path.split(target)
            if watched := self._add(folder or ".", _FOLDER, item.path):
                watched.files.setdefault(name, set()).add(item.path)

    def finish(self) -> dict[str, str]:
        """Lets go of what was not told again. Answers what cannot be watched, and why."""
        for root in self.roots:
            self._look_out(root.path)
        for descriptor, watched in self._watched.items():
            if descriptor not in self._fresh:
                with contextlib.suppress(OSError):
                    self._inotify.rm_watch(watched.watch)
        self._watched, self._fresh = self._fresh, {}
        return self._denied

    def _look_out(self, path: str) -> None:
        """Watches each step of the way to a root that could be replaced: links, the last step, a missing one."""
        ways = [os.path.abspath(path)]
        for _ in range(_MOST_LINKS):
            if not ways:
                return
            way = ways.pop()
            step = os.sep
            names = [name for name in way.split(os.sep) if name]
            for position, name in enumerate(names):
                parent, step = step, os.path.join(step, name)
                link = os.path.islink(step)
                missing = not os.path.lexists(step)
                if link or missing or position == len(names) - 1:
                    if watched := self._add(parent, _SHAPE | _SELF | Mask.MASK_ADD, path):
                        watched.lookouts.add(name)
                else:
                    self._add(step, _SELF | Mask.MASK_ADD, path)
                if link:
                    ways.append(os.path.abspath(os.path.join(parent, os.readlink(step))))
                if missing:
                    break

    def _add(self, folder: str, mask: Mask, concerns: str) -> _Watched | None:
        try:
            watch = self._inotify.add_watch(folder, mask | Mask.ONLYDIR)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except OSError as error:
            hint = ": raise fs.inotify.max_user_watches" if error.errno == errno.ENOSPC else ""
            self._denied[concerns] = f"{os.strerror(error.errno or 0)}{hint}"
            return None
        if watch.wd not in self._fresh:
            self._fresh[watch.wd] = _Watched(watch)
        return self._fresh[watch.wd]

    async def _readable(self, timeout: float | None) -> bool:
        """Waits for events; False: there were none in time."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._inotify.fd, readable.set)
        try:
            await asyncio.wait_for(readable.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        finally:
            loop.remove_reader(self._inotify.fd)
        return True

    def _drain(self) -> None:
        while (event := self._inotify.sync_get()) is not None:
            self._note(event)

    def _note(self, event: Event) -> None:
        mask = event.mask
        if mask & Mask.Q_OVERFLOW:
            self._writing.clear()
            self._pending.everything = True
        watch = event.watch
        watched = (self._fresh.get(watch.wd) or self._watched.get(watch.wd)) if watch is not None else None
        if watched is None or watch is None:
            return
        if mask & (_SELF | Mask.IGNORED | Mask.UNMOUNT):
            self._pending.everything = True
        if mask & Mask.IGNORED:
            self._watched.pop(watch.wd, None)
            self._fresh.pop(watch.wd, None)
        if event.name is None:
            return
        name = str(event.name)
        if name in watched.lookouts and mask & _SHAPE:
            self._pending.everything = True
        for path in watched.files.get(name, ()):
            self._note_file(path, mask)
        for folder in watched.folders:
            self._note_entry(folder, name, mask)

    def _note_entry(self, folder: str, name: str, mask: Mask) -> None:
        """Something happened to an entry of a folder of manifests."""
        path = os.path.join(folder, name)
        if name == _MOUNT_LINK:
            self._pending.everything |= bool(mask & _SHAPE)
        elif name.startswith("."):
            return
        elif mask & Mask.ISDIR or (mask & _SHAPE and (os.path.islink(path) or self._is_folder(path))):
            self._pending.everything = True
        elif is_manifest_name(name):
            self._note_file(path, mask)

    def _is_folder(self, path: str) -> bool:
        """Whether it was one: a link to a folder is gone without a word that it led to one."""
        return not is_manifest_name(path) and any(path in watched.folders for watched in self._watched.values())

    def _note_file(self, path: str, mask: Mask) -> None:
        if mask & Mask.MODIFY:
            self._writing.add(path)
            return
        if mask & Mask.CREATE and _is_empty(path):
            self._writing.add(path)
        elif not mask & Mask.ATTRIB:
            self._writing.discard(path)
        self._pending.files.add(path)


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return False


def _open_inotify() -> Inotify:
    try:
        return Inotify(cache_size=256, sync_timeout=0)
    except OSError as error:
        reason = worded(error)
        if error.errno == errno.EMFILE and _may_open_more():
            reason = "too many inotify instances: raise fs.inotify.max_user_instances"
        raise StartError(f"--manifests cannot be watched: {reason}") from error


def _may_open_more() -> bool:
    """Whether the process has descriptors left: inotify has one error for its own limit and for that one."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True
