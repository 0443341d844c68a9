"""The memory for bodies of the whole process has an end: what comes beyond it is refused, until there is room again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.fixtures import Backends, Spawn
from tests.support.frames import INITIAL_WINDOW_SIZE, H2Client, block, data, headers, request_fields
from tests.support.manifests import Rule, ingress, service
from tests.support.nginx import nginx as running_nginx
from tests.support.proc import resident_bytes
from tests.support.process import Process
from tests.support.protocols import ALL, EVERY
from tests.support.stuck import stuck_endpoint

MIB = 1 << 20
BUDGET = 256 * MIB
WINDOW = 128 * 1024
"""What a stream may send before anybody takes it."""
SENT = 64 * 1024
"""What an endpoint may send on a stream before anybody takes it."""
STREAMS = 128
"""Of a connection."""


@pytest.fixture
def stuck() -> Iterator[ExitStack]:
    """What holds a backend that never takes a connection: when it is closed, connections are refused."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def process(spawn: Spawn, backends: Backends, stuck: ExitStack) -> Process:
    """In front of a backend that answers, and of the stuck one below `/stuck`."""
    return spawn(
        service("web", backends("web")),
        service("stuck", stuck.enter_context(stuck_endpoint())),
        ingress("web", Rule("web"), Rule("stuck", "/stuck"), annotations={"proxy-body-size": "0"}),
        connect_timeout="600s",
        body_timeout="600s",
        workers=2,
        **ALL,
    )


def buffered(process: Process) -> float:
    return process.metrics().sum("fastingress_buffered_bytes")


def upload(client: H2Client, streams: int) -> None:
    """Fills the windows of so many streams to the stuck backend, once they are open."""
    opened = [client.start(request_fields(b"/stuck", method=b"POST"), end=False) for _ in range(streams)]
    client.round_trip()
    for stream in opened:
        client.send_body(stream, [bytes(WINDOW)], end=False)


def test_requests_are_refused_while_bodies_use_up_the_memory_and_served_after(
    process: Process, stuck: ExitStack
) -> None:
    before = resident_bytes(process.pid)
    with ExitStack() as stack:
        *others, waits = (stack.enter_context(H2Client(process.http)).until_settled() for _ in range(17))
        upload(waits, 1)
        for client in others[1:]:
            upload(client, STREAMS)
        assert process.get().status == 200
        upload(others[0], STREAMS - 1)
        process.until(lambda: buffered(process) >= BUDGET)
        late = waits.start(request_fields(b"/"))
        for spoken in EVERY:
            answer = spoken.ask(process, headers=[("accept", "application/json")])
            assert (answer.status, json.loads(answer.text)["reason"]) == (503, "overload")
        assert buffered(process) < BUDGET + MIB
        assert resident_bytes(process.pid) - before < 2 * BUDGET
        stuck.close()
        # It holds more than its share, so it was not read from: its request waited where others were refused.
        assert waits.answer(late).status == 200
        process.until(lambda: buffered(process) == 0)
    assert [spoken.ask(process).text for spoken in EVERY] == ["web"] * len(EVERY)


def test_bodies_that_come_along_with_their_heads_count_whole(process: Process) -> None:
    head = block(request_fields(b"/stuck", method=b"POST"))
    with H2Client(process.http).until_settled() as client:
        opened = [client.new_stream() for _ in range(8)]
        pieces = [data(stream, bytes(16 * 1024)) for stream in opened for _ in range(WINDOW // (16 * 1024))]
        client.send(b"".join([*(headers(stream, head, end=False) for stream in opened), *pieces]))
        process.until(lambda: buffered(process) == len(opened) * WINDOW)


def test_answers_that_are_given_no_window_use_it_up_too(
    nginx: None, spawn: Spawn, backends: Backends, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(bytes(MIB))
    server = f"server {{ listen %PORT% http2; location / {{ root {tmp_path}; }} }}"
    shut = ((INITIAL_WINDOW_SIZE, 0),)
    with running_nginx(tmp_path / "nginx", server) as ((host, port),), ExitStack() as stack:
        process = spawn(
            service("web", backends("web")),
            service("big", f"{host}:{port}"),
            ingress("web", Rule("web")),
            ingress("big", Rule("big", "/big"), annotations={"backend-protocol": "H2C"}),
            body_timeout="600s",
            workers=2,
            **ALL,
        )
        before = resident_bytes(process.pid)
        clients: list[H2Client] = []
        while (held := buffered(process)) < BUDGET:
            clients.append(stack.enter_context(H2Client(process.http, first=shut)).until_settled())
            for _ in range(STREAMS):
                clients[-1].start(request_fields(b"/big"))
            least = min(BUDGET, held + STREAMS * SENT)
            process.until(lambda least=least: buffered(process) >= least)  # type: ignore[misc]
        assert [spoken.ask(process).status for spoken in EVERY] == [503] * len(EVERY)
        assert resident_bytes(process.pid) - before < 2 * BUDGET
        for client in clients:
            client.close()
        process.until(lambda: buffered(process) == 0)
        assert [spoken.ask(process).text for spoken in EVERY] == ["web"] * len(EVERY)
