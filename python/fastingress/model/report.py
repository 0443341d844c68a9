"""What the core answers to a change set: the mirror of `Report` in `rust/route/src/schema.rs`."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from fastingress.model.schema import IngressRef


class Compiled(Struct, frozen=True, forbid_unknown_fields=True):
    """Counts of work done for one change set."""

    fragments: int = 0
    hosts: int = 0
    endpoints: int = 0
    certificates: int = 0


class ReportedProblem(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the core found wrong; `Problem` in the schema."""

    code: str
    ingress: IngressRef | None
    message: str


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a change set.

    `problems` holds, for each scope named, all that is wrong in it now; a scope that is not named keeps what it had.
    A scope is `host:NAME`, or `KIND:KEY` of an entry.
    """

    generation: int
    digest: str
    compiled: Compiled
    problems: tuple[tuple[str, tuple[ReportedProblem, ...]], ...]


_reports = msgspec.msgpack.Decoder(Report)


def decode_report(blob: bytes) -> Report:
    """The report in `blob`. Raises `msgspec.DecodeError` or `msgspec.ValidationError` when it is none."""
    return _reports.decode(blob)
