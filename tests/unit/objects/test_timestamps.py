"""Times of objects: what is one, what is refused, and that a fault of ours in one object stays with that object."""

from __future__ import annotations

import sys

import msgspec
import pytest

from fastingress.objects import decode_json
from fastingress.objects.conversion import FieldError
from fastingress.objects.timestamps import canonical_timestamp
from tests.unit.objects.documents import ingress, refusal, take

OUT_OF_RANGE = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
        ("2026-01-31T10:30:00.125000+01:30", "2026-01-31T09:00:00Z"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00Z"),
        ("0001-01-01T23:59:00+23:59", "0001-01-01T00:00:00Z"),
    ],
)
def test_times_become_one_form(text: str, expected: str) -> None:
    assert canonical_timestamp(text) == expected


@pytest.mark.parametrize("text", ["", "now", "2026-01-31T09:00:00", "٢026-01-31T09:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="RFC 3339"):
        canonical_timestamp(text)


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_time_out_of_range_in_utc_is_a_problem_of_its_object(text: str) -> None:
    raw = ingress()
    raw["metadata"]["creationTimestamp"] = text
    assert refusal(raw).startswith("metadata.creationTimestamp: Invalid value")
    (problem,) = decode_json(msgspec.json.encode(raw), "Ingress").problems
    assert (problem.code, problem.object and problem.object.name) == ("InvalidField", "shop")


def test_a_fault_of_ours_is_a_problem_of_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> str:
        raise OverflowError("out of range")

    raw = ingress()
    raw["metadata"]["creationTimestamp"] = "2026-01-31T09:00:00Z"
    monkeypatch.setattr(sys.modules["fastingress.objects.decode"], "canonical_timestamp", broken)
    for decoded in (take(raw), decode_json(msgspec.json.encode(raw), "Ingress")):
        (problem,) = decoded.problems
        assert (decoded.object, problem.code, problem.severity) == (None, "InternalError", "error")
        assert problem.object is not None
        assert problem.object.name == "shop"
        assert "OverflowError: out of range" in problem.message
