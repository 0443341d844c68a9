"""Sets up logging for a process that is ours: text or JSON lines on standard error.

A library must not touch its host's logging, so only the command line calls this; `fastingress.Gateway` logs to the
logger `fastingress` and leaves the rest to its user.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

from fastingress.observe.writer import LineWriter

FIELDS = "fastingress_fields"
"""The attribute of a log record that holds further fields, as a dictionary, for JSON lines."""


class _Handler(logging.Handler):
    def __init__(self, writer: LineWriter, form: logging.Formatter) -> None:
        super().__init__()
        self.writer = writer
        self.setFormatter(form)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.writer.write(self.format(record))
        except Exception as error:
            self.writer.write(f"a log line could not be formatted: {error!r}")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{_time(record)} {record.levelname.lower():7} {_one_line(record.getMessage())}"
        trace = _trace(self, record)
        return f"{text}\n{trace}" if trace else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        trace = _trace(self, record)
        if trace:
            fields["trace"] = trace
        return json.dumps(fields, ensure_ascii=False, default=str)


def setup(level: str, form: str) -> LineWriter:
    """Send the log lines of this process to standard error: `level` and above, as `text` or `json`.

    Returns the writer, which is to be flushed, for a bounded time, when the process ends.
    """
    descriptor = 2 if sys.stderr is None else sys.stderr.fileno()
    writer = LineWriter(descriptor)
    handler = _Handler(writer, _Json() if form == "json" else _Text())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("fastingress").setLevel(level.upper())
    logging.raiseExceptions = False
    return writer


def _one_line(message: str) -> str:
    """Parser errors have several lines, and names from files may hold anything: a message stays one line."""
    return " ".join(message.splitlines())


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
