"""Which file's definition of an object counts, and what a change of files changes.

Two documents may define the same object: the first by place counts, the others are problems, and when the first goes
the next takes over. A file that could not be parsed keeps what was last read from it. No file is touched here.
"""

from __future__ import annotations

from typing import NamedTuple

from fastingress.objects import Object, ObjectKey
from fastingress.problems import Problem
from fastingress.sources.manifests.documents import FileContent
from fastingress.store import Change, Delete, Upsert


class _Claim(NamedTuple):
    """A file defines an object."""

    file: _File
    object: Object


class _File:
    """What is known of a file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.content: FileContent | None = None
        self.objects: tuple[Object, ...] = ()
        """What it defines: what it says, and what it said earlier while it cannot be parsed."""
        self.trouble: Problem | None = None
        self.shadowed: dict[ObjectKey, list[Problem]] = {}
        self.leaving = False

    def problems(self) -> list[Problem]:
        found = [] if self.trouble is None else [self.trouble]
        if self.content is not None:
            found += self.content.problems
        for problems in self.shadowed.values():
            found += problems
        return sorted(found, key=lambda problem: problem.origin.line if problem.origin else 0)


class Catalog:
    """All objects of all files."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._claims: dict[ObjectKey, list[_Claim]] = {}
        self._emitted: dict[ObjectKey, Object] = {}
        self._touched: set[ObjectKey] = set()
        self._stale: set[str] = set()
        self._accused: set[str] = set()
        """Files that have problems as far as the consumer knows."""

    def paths(self) -> list[str]:
        """All files that are known."""
        return list(self._files)

    def content(self, path: str) -> FileContent | None:
        """What was last read from a file."""
        file = self._files.get(path)
        return file.content if file else None

    def has_trouble(self, path: str) -> bool:
        """Whether the file could not be read when that was last tried."""
        file = self._files.get(path)
        return file is not None and file.trouble is not None

    def read(self, path: str, content: FileContent) -> None:
        """The file says this now."""
        file = self._file(path)
        said = [placed.object for placed in content.placed.values()]
        present = {item.key for item in said}
        kept = {
            item.key: item
            for item in reversed(file.objects)
            if item.key not in present and (content.broken or item.key in content.refused)
        }
        file.content = content
        file.trouble = None
        self._stale.add(path)
        self._define(file, (*said, *kept.values()))
        self.back(path)

    def failed(self, path: str, problem: Problem) -> None:
        """The file cannot be read now; what was last read from it stays."""
        self._file(path).trouble = problem
        self._stale.add(path)
        self.back(path)

    def leave(self, path: str) -> bool:
        """The file is gone, perhaps only for a moment: its objects stay unless another file defines them.

        Answers whether it was known at all.
        """
        self._set_leaving(path, True)
        return path in self._files

    def back(self, path: str) -> None:
        """The file that left is there again; it may not have been read yet."""
        self._set_leaving(path, False)

    def forget(self, path: str) -> None:
        """The file is gone for good."""
        file = self._files.get(path)
        if file is None:
            return
        self._define(file, ())
        del self._files[path]
        self._stale.add(path)

    def settle(self) -> tuple[list[Change], dict[str, list[Problem]]]:
        """What changed since the last call, and all problems of the files that it concerns."""
        changes = [change for key in sorted(self._touched) if (change := self._decide(key)) is not None]
        problems = {path: self.problems(path) for path in sorted(self._stale)}
        problems = {path: found for path, found in problems.items() if found or path in self._accused}
        self._accused.difference_update(problems)
        self._accused.update(path for path, found in problems.items() if found)
        self._touched.clear()
        self._stale.clear()
        return changes, problems

    def everything(self) -> tuple[list[Change], dict[str, list[Problem]]]:
        """All objects and all problems, and what is gone since the last call."""
        changes, problems = self.settle()
        gone: list[Change] = [change for change in changes if isinstance(change, Delete)]
        there: list[Change] = [Upsert(item) for item in self._emitted.values()]
        problems |= {path: found for path in self._files if (found := self.problems(path))}
        return gone + there, problems

    def _file(self, path: str) -> _File:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _File(path)
        return file

    def problems(self, path: str) -> list[Problem]:
        """All that is wrong with a file and what it defines."""
        file = self._files.get(path)
        return file.problems() if file else []

    def _set_leaving(self, path: str, leaving: bool) -> None:
        file = self._files.get(path)
        if file is not None and file.leaving != leaving:
            file.leaving = leaving
            self._touched.update(item.key for item in file.objects)

    def _define(self, file: _File, objects: tuple[Object, ...]) -> None:
        """Replaces what the file defines. Objects that are the very same as before are not looked at."""
        before = {id(item) for item in file.objects}
        after = {id(item) for item in objects}
        for item in file.objects:
            if id(item) not in after:
                self._drop_claim(file, item)
        for item in objects:
            if id(item) not in before:
                self._claims.setdefault(item.key, []).append(_Claim(file, item))
                self._touched.add(item.key)
        file.objects = objects

    def _drop_claim(self, file: _File, item: Object) -> None:
        key = item.key
        self._touched.add(key)
        if file.shadowed.pop(key, None):
            self._stale.add(file.path)
        claims = [claim for claim in self._claims[key] if claim.object is not item]
        if claims:
            self._claims[key] = claims
        else:
            del self._claims[key]

    def _decide(self, key: ObjectKey) -> Change | None:
        """Whose definition counts, and whether that is news."""
        claims = self._claims.get(key)
        if claims is None:
            return Delete(key) if self._emitted.pop(key, None) is not None else None
        current = self._emitted.get(key)
        staying = [claim for claim in claims if not claim.file.leaving]
        if not staying and any(claim.object is current for claim in claims):
            return None
        first = min(staying or claims, key=lambda claim: claim.object.place)
        self._shadow(key, claims, first)
        if current is first.object:
            return None
        self._emitted[key] = first.object
        return Upsert(first.object)

    def _shadow(self, key: ObjectKey, claims: list[_Claim], first: _Claim) -> None:
        """Problems for all definitions but the first. A file that is about to go is not accused."""
        for claim in claims:
            if claim.file.shadowed.pop(key, None):
                self._stale.add(claim.file.path)
        if len(claims) == 1:
            return
        for claim in claims:
            if claim is not first and not claim.file.leaving:
                problem = _duplicate(claim.object, first.object)
                claim.file.shadowed.setdefault(key, []).append(problem)
                self._stale.add(claim.file.path)


def _duplicate(ignored: Object, counts: Object) -> Problem:
    message = (
        f"defined more than once: {counts.origin} counts, for it is the first by path and position,"
        f" and {ignored.origin} is ignored"
    )
    return Problem("DuplicateObject", "error", ignored.ref, message, ignored.origin)
