"""The memory for bodies of the whole process has an end: what comes beyond it is refused, until there is room again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.fixtures import Backends, Spawn
from tests.support.frames import H2Client, request_fields
from tests.support.manifests import Rule, ingress, service
from tests.support.proc import resident_bytes
from tests.support.process import Process
from tests.support.protocols import ALL, EVERY
from tests.support.stuck import stuck_endpoint

MIB = 1 << 20
BUDGET = 256 * MIB
WINDOW = 128 * 1024
"""What a stream may send before anybody takes it; a connection has 128 of them."""
AT_ONCE = 8
"""Streams between two looks at the metrics: a MiB, which the kernel takes even if nothing more is read."""


@pytest.fixture
def process(spawn: Spawn, backends: Backends) -> Iterator[Process]:
    """In front of a backend that answers, and of one below `/stuck` that never takes a connection."""
    with stuck_endpoint() as stuck:
        yield spawn(
            service("web", backends("web")),
            service("stuck", stuck),
            ingress("web", Rule("web"), Rule("stuck", "/stuck"), annotations={"proxy-body-size": "0"}),
            connect_timeout="600s",
            body_timeout="600s",
            workers=2,
            **ALL,
        )


def buffered(process: Process) -> float:
    return process.metrics().sum("fastingress_buffered_bytes")


def uploads_that_use_it_up(process: Process, stack: ExitStack) -> list[H2Client]:
    """Connections with bodies that nobody takes; the last one has just met the end."""
    clients: list[H2Client] = []
    while True:
        clients.append(stack.enter_context(H2Client(process.http)).until_settled())
        for _ in range(128 // AT_ONCE):
            upload(clients[-1], AT_ONCE)
            if buffered(process) >= BUDGET:
                return clients


def upload(client: H2Client, streams: int) -> None:
    for _ in range(streams):
        stream = client.start(request_fields(b"/stuck", method=b"POST"), end=False)
        client.send_body(stream, [bytes(WINDOW)], end=False)


def test_requests_are_refused_while_bodies_use_up_the_memory_and_served_after(process: Process) -> None:
    before = resident_bytes(process.pid)
    with ExitStack() as stack:
        *others, last = uploads_that_use_it_up(process, stack)
        late = last.start(request_fields(b"/"))
        for spoken in EVERY:
            answer = spoken.ask(process, headers=[("accept", "application/json")])
            assert (answer.status, json.loads(answer.text)["reason"]) == (503, "overload")
        assert buffered(process) < BUDGET + 32 * MIB
        assert resident_bytes(process.pid) - before < 2 * BUDGET
        for client in others:
            client.close()
        # It holds more than its share, so it was not read from: its request waited where others were refused.
        assert last.answer(late).status == 200
    process.until(lambda: buffered(process) == 0)
    assert [spoken.ask(process).text for spoken in EVERY] == ["web"] * len(EVERY)
