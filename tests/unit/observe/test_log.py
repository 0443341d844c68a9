"""Log lines: their form, and that nobody waits for a reader of them."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from fastingress.observe import log_cleared, log_raised
from fastingress.observe.writer import LineWriter
from fastingress.problems import ObjectRef, Origin, Problem

PROBLEM = Problem(
    code="InvalidRegex",
    severity="error",
    object=ObjectRef("Ingress", "default", "shop"),
    message="first line\nsecond line",
    origin=Origin("shop.yaml", 7, 0),
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def lines_of(form: str, program: str) -> list[str]:
    """What a process logs that sets logging up in this form and runs the program."""
    start = f"""
        import logging, sys
        from fastingress import observe
        writer = observe.setup("info", {form!r})
        log = logging.getLogger("fastingress.test")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(program) + "\nassert writer.flush(5)\n"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr.splitlines()


def test_text_lines_have_time_level_and_message_on_one_line() -> None:
    (line,) = lines_of("text", "log.debug('hidden'); log.warning('one\\ntwo %d', 3)")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning one two 3", line)


def test_json_lines_hold_the_fields_of_a_problem() -> None:
    program = """
        from fastingress.problems import ObjectRef, Origin, Problem
        ref = ObjectRef("Ingress", "default", "shop")
        problem = Problem("InvalidRegex", "error", ref, "it is bad", Origin("shop.yaml", 7, 0))
        observe.log_raised(problem)
        observe.log_cleared(problem)
    """
    raised, cleared = (json.loads(line) for line in lines_of("json", program))
    del raised["time"], cleared["time"]
    fields = {
        "code": "InvalidRegex",
        "severity": "error",
        "kind": "Ingress",
        "namespace": "default",
        "name": "shop",
        "path": "shop.yaml",
        "line": 7,
    }
    text = "shop.yaml:7: Ingress default/shop: it is bad (InvalidRegex)"
    assert raised == {"level": "error", "message": text, "problem": "raised", **fields}
    assert cleared == {"level": "info", "message": f"solved: {text}", "problem": "cleared", **fields}


def test_an_exception_keeps_its_trace() -> None:
    program = """
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("it failed")
    """
    (line,) = lines_of("json", program)
    assert "ZeroDivisionError" in json.loads(line)["trace"]
    assert "ZeroDivisionError" in "\n".join(lines_of("text", program))


def test_problems_are_logged_by_severity(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="fastingress")
    log_raised(PROBLEM)
    log_cleared(PROBLEM)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_lines_arrive_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    for number in range(1000):
        writer.write(str(number))
    assert writer.flush(10)
    os.close(writing)
    with os.fdopen(os.dup(reading)) as text:
        assert text.read().split() == [str(number) for number in range(1000)]


def test_a_blocked_reader_blocks_nobody_and_drops_are_counted_and_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, most=10)
    line = "x" * 1000
    for _ in range(1000):  # a pipe holds 64 KiB
        writer.write(line)
        if not writer.flush(0.1):
            break
    for _ in range(100):
        writer.write(line)
    assert writer.dropped >= 90
    assert not writer.flush(0)

    seen = bytearray()
    while b"were dropped" not in seen:
        seen += os.read(reading, 65536)
        writer.write("on")
    assert re.search(rb"\d+ log lines were dropped: nobody was reading them\n", seen)


def test_a_closed_reader_is_nobodys_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing)
    writer.write("lost")
    assert not writer.flush(10)
    writer.write("lost too")
    assert not writer.flush(10)
