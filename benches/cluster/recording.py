"""What an API server said, byte by byte: all objects as streaming lists, then the events of the EndpointSlices."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

from benches.cluster.access import Access
from tests.cluster.support.api import collection

LISTED = ("Namespace", "IngressClass", "Ingress", "Service", "EndpointSlice", "Secret")
MOVING = "EndpointSlice"
_LIST = "timeoutSeconds=86400&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
_INITIAL_END = b'"k8s.io/initial-events-end":"true"'
_VERSION = re.compile(rb'"resourceVersion":"([0-9]+)"')


class Recording:
    """Lists and events in a folder, a file of lines for each list and one for the events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def __len__(self) -> int:
        return len(self.events())

    def list_of(self, kind: str) -> bytes:
        """All lines of a list, with the one that ends it."""
        return (self.folder / f"{kind}.lines").read_bytes()

    def events(self) -> list[bytes]:
        """The events, in their order."""
        return (self.folder / "events.lines").read_bytes().splitlines(keepends=True)

    def record_lists(self, access: Access) -> None:
        """Writes down all objects as they are now."""
        for kind in LISTED:
            with (self.folder / f"{kind}.lines").open("wb") as file:
                for line in access.lines(kind, _LIST):
                    file.write(line + b"\n")
                    if _INITIAL_END in line:
                        break

    def record_events(self, access: Access, count: int) -> threading.Thread:
        """Begins to write down that many events from now on; the thread ends with the last."""
        version = version_of(self.list_of(MOVING).splitlines()[-1])
        lines = access.lines(MOVING, f"timeoutSeconds=86400&resourceVersion={version}")
        thread = threading.Thread(target=self._take, args=(lines, count), daemon=True)
        thread.start()
        return thread

    def _take(self, lines: Iterator[bytes], count: int) -> None:
        taken = 0
        with (self.folder / "events.lines").open("wb") as file:
            while taken < count:
                line = next(lines)
                if not line.startswith(b'{"type":"BOOKMARK"'):
                    file.write(line + b"\n")
                    taken += 1


def version_of(line: bytes) -> int:
    """Of the object in an event."""
    found = _VERSION.search(line)
    assert found, line[:200]
    return int(found[1])


def path_of(kind: str) -> str:
    """Where the API has a kind."""
    return collection(kind)
