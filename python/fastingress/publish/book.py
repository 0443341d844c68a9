"""All problems that stand, by the scope that states them, and what was raised or cleared.

Level-triggered: whoever owns a scope states all that is wrong in it now, and the book works out what is new and what is
gone. A problem that two scopes state is one problem. Not thread-safe: one loop, or one thread, owns a book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from fastingress.problems import ObjectRef, Problem

Listener = Callable[[Problem], None]

_Identity = tuple[str, "ObjectRef | None", str]


class ProblemBook:
    """Problems by scope.

    `raised` and `cleared` are called once for each problem that appears or goes; a problem that only moves to another
    line of its file, or from one scope to another within an update, does neither. `changed` is called after every
    update that changed anything.
    """

    def __init__(
        self,
        *,
        raised: Listener | None = None,
        cleared: Listener | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._scopes: dict[str, tuple[Problem, ...]] = {}
        self._standing: Counter[_Identity] = Counter()
        self._raised = raised
        self._cleared = cleared
        self._changed = changed

    def listen(self, raised: Listener, cleared: Listener) -> None:
        """Have these called, too, from now on."""
        self._raised = _both(self._raised, raised)
        self._cleared = _both(self._cleared, cleared)

    def update(self, scopes: Mapping[str, Iterable[Problem]]) -> bool:
        """Replace what stands in each of `scopes`; an empty one is cleared. True when anything changed."""
        before = dict[_Identity, Problem]()
        after = dict[_Identity, Problem]()
        changed = False
        for scope, stated in scopes.items():
            new = tuple(stated)
            old = self._scopes.get(scope, ())
            if new == old:
                continue
            changed = True
            self._replace(scope, old, new, before, after)
        if changed:
            self._tell(before, after)
        return changed

    def problems(self) -> list[Problem]:
        """All that stand, each once: by file and line, then by object, then by code and message."""
        unique = {_identity(problem): problem for problems in self._scopes.values() for problem in problems}
        return sorted(unique.values(), key=_order)

    def errors(self) -> int:
        """How many of them are errors."""
        return sum(problem.severity == "error" for problem in self.problems())

    def __len__(self) -> int:
        return len(self._standing)

    def to_json(self) -> bytes:
        """A list of all that stand, as served at `/problems`."""
        return msgspec.json.encode(self.problems())

    def _replace(
        self,
        scope: str,
        old: tuple[Problem, ...],
        new: tuple[Problem, ...],
        before: dict[_Identity, Problem],
        after: dict[_Identity, Problem],
    ) -> None:
        for problem in old:
            identity = _identity(problem)
            before.setdefault(identity, problem)
            self._standing[identity] -= 1
            if not self._standing[identity]:
                del self._standing[identity]
        for problem in new:
            identity = _identity(problem)
            if identity in self._standing and identity not in before and identity not in after:
                before[identity] = problem
            after[identity] = problem
            self._standing[identity] += 1
        if new:
            self._scopes[scope] = new
        else:
            self._scopes.pop(scope, None)

    def _tell(self, before: Mapping[_Identity, Problem], after: Mapping[_Identity, Problem]) -> None:
        for identity, problem in before.items():
            if self._cleared and identity not in self._standing:
                self._cleared(problem)
        for identity, problem in after.items():
            if self._raised and identity not in before:
                self._raised(problem)
        if self._changed:
            self._changed()


def _both(one: Listener | None, other: Listener) -> Listener:
    if one is None:
        return other
    first = one

    def call(problem: Problem) -> None:
        first(problem)
        other(problem)

    return call


def _identity(problem: Problem) -> _Identity:
    return (problem.code, problem.object, problem.message)


def _order(problem: Problem) -> tuple[str, int, str, str, str, str, str]:
    origin, ref = problem.origin, problem.object
    return (
        origin.path if origin else "",
        origin.line if origin else 0,
        ref.namespace if ref else "",
        ref.kind if ref else "",
        ref.name if ref else "",
        problem.code,
        problem.message,
    )
