"""Steady load on a gateway over kept connections: what was asked, what failed, and what ran more than once."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.client import Address, RawClient, request_bytes
from tests.support.eventually import eventually


@dataclass(frozen=True)
class Failed:
    """A request without the answer 200."""

    id: str
    method: str
    why: str
    at: float
    """Seconds since the load began."""


class Load:
    """Runs from `__enter__` to `__exit__`. Each connection asks, reads the answer, waits `pause` seconds, asks again.

    Every request has an `X-Id` of its own, which the pods' registry counts. Methods alternate. A connection that breaks
    is opened anew; the request that was lost with it has failed.
    """

    def __init__(
        self,
        address: Address,
        host: str,
        *,
        target: str = "/",
        methods: Sequence[str] = ("GET", "POST"),
        connections: int = 8,
        pause: float = 0.005,
    ) -> None:
        self.answered: Counter[str] = Counter()
        """By method: how many had an answer 200."""
        self.failures: list[Failed] = []
        self.connects = 0
        """How many connections were opened."""
        self._address = address
        self._host = host
        self._target = target
        self._methods = methods
        self._pause = pause
        self._done = threading.Event()
        self._began = time.monotonic()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), name=f"load-{number}", daemon=True)
            for number in range(connections)
        ]

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        eventually(lambda: self.failures or self.answered.total() >= len(self._threads), what="load is flowing")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Lets every request come to its end."""
        self._done.set()
        for thread in self._threads:
            thread.join(30)

    def failed(self, method: str = "") -> list[Failed]:
        """The failures so far, of one method if it is named."""
        return [each for each in list(self.failures) if method in ("", each.method)]

    def flows_on(self, requests: int = 100) -> None:
        """Waits until that many more requests have been answered."""
        wanted = self.answered.total() + requests
        eventually(lambda: self.answered.total() >= wanted, what=f"{requests} more answers")

    def _ask(self, number: int) -> None:
        client: RawClient | None = None
        for turn in itertools.count():
            if self._done.is_set():
                break
            method = self._methods[(number + turn) % len(self._methods)]
            name = f"{method}-{number}-{turn}"
            try:
                client = self._one(client, method, name)
            except (OSError, AssertionError) as error:
                self.failures.append(Failed(name, method, repr(error), time.monotonic() - self._began))
                if client is not None:
                    client.close()
                client = None
            self._done.wait(self._pause)
        if client is not None:
            client.close()

    def _one(self, client: RawClient | None, method: str, name: str) -> RawClient | None:
        if client is None:
            client = RawClient(self._address)
            self.connects += 1
        body = b"x" * 100 if method == "POST" else b""
        client.send(request_bytes(method, self._target, self._host, [("X-Id", name)], body))
        answer = client.response(method)
        if answer.status == 200:
            self.answered[method] += 1
        else:
            why = f"{answer.status} {answer.text[:200]}"
            self.failures.append(Failed(name, method, why, time.monotonic() - self._began))
        if (answer.header("connection") or "").lower() != "close":
            return client
        client.close()
        return None


def run_twice(seen: Mapping[str, Sequence[str]], method: str = "POST") -> dict[str, list[str]]:
    """Of what the pods saw: the requests of that method that reached more than one, or one more than once."""
    return {name: list(pods) for name, pods in seen.items() if name.startswith(f"{method}-") and len(pods) > 1}
