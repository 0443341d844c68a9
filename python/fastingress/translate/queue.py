"""What is left to do: each unit once, in order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fastingress.model import Key


class Queue:
    """Units that wait. The first one stays in until it is dropped, so that an interrupted update loses nothing."""

    def __init__(self) -> None:
        self._order: deque[Key] = deque()
        self._members: set[Key] = set()

    def __len__(self) -> int:
        return len(self._order)

    def add(self, keys: Iterable[Key]) -> None:
        """Appends those that do not wait yet."""
        for key in keys:
            if key not in self._members:
                self._members.add(key)
                self._order.append(key)

    def first(self) -> Key:
        """The one to do next. Raises IndexError when nothing waits."""
        return self._order[0]

    def drop_first(self) -> None:
        """The first one is done."""
        self._members.discard(self._order.popleft())
