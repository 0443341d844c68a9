"""One Ingress edited again and again: from the close or the rename to the first answer that shows the edit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benches.scale.served import Event, Served
from tests.support.client import RawClient, request_bytes
from tests.support.scale import Plan

EDITED = 4321
"""Which Ingress is edited, in a folder that has as many."""
_LONGEST = 30.0
_PAUSE = 0.0003
_FOUND = 200
_ABSENT = 404

Way = Callable[[Path, str], float]
"""Writes a file and answers the time at which it was there."""


@dataclass(frozen=True)
class Edited:
    """One edit."""

    live_seconds: float
    """To the first answer that shows it."""
    ours_seconds: float
    """Of the control plane once the file is parsed: store, translation, waiting for more, encoding, compile, swap."""
    work_seconds: float
    """Of that, without the waiting for more: translation, and diff, encoding, compile and swap."""
    translated: int
    sent: int
    compiled: int
    """Ingresses, values, fragments."""


def moved(path: Path, text: str) -> float:
    """Written beside it and renamed onto it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    began = time.perf_counter()
    os.replace(part, path)  # noqa: PTH105 (says plainly that it replaces)
    return began


def in_place(path: Path, text: str) -> float:
    """Truncated and written."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return time.perf_counter()  # the close follows


class Editor:
    """Edits a folder that is served and watches what comes of it."""

    def __init__(self, folder: Path, plan: Plan, served: Served) -> None:
        self._index = min(EDITED, plan.ingresses - 1)
        self._path = plan.file(folder, self._index)
        self._plan = plan
        self._served = served
        self._client = RawClient(served.http)
        self._number = 0

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.close()

    def edit(self, way: Way) -> Edited:
        """One edit. Raises `RuntimeError` when it was no edit, or when it never shows."""
        self._number += 1
        text = self._plan.text(self._index, self._number)
        if self._ask() != _ABSENT:
            raise RuntimeError("the edit shows before it was made")
        began = way(self._path, text)
        live = self._wait() - began
        translated, published = self._served.event("translated"), self._served.event("published")
        return _edited(live, translated, published)

    def _wait(self) -> float:
        end = time.perf_counter() + _LONGEST
        while time.perf_counter() < end:
            if self._ask() == _FOUND:
                return time.perf_counter()
            time.sleep(_PAUSE)
        raise RuntimeError(f"the edit did not show within {_LONGEST:g} s")

    def _ask(self) -> int:
        path = self._plan.edited_path(self._index, self._number)
        self._client.send(request_bytes(target=path, host=self._plan.host(self._index)))
        return self._client.response().status


def _edited(live: float, translated: Event, published: Event) -> Edited:
    return Edited(
        live_seconds=live,
        ours_seconds=translated["seconds"] + published["seconds"],
        work_seconds=translated["seconds"] + published["work_seconds"],
        translated=translated["ingresses"],
        sent=published["upserts"],
        compiled=published["compiled"]["fragments"],
    )
