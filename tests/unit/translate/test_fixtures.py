"""The fixtures: each file is named by the sentence it shows, and ends in a document that says what must come out.

That document has `expect`: the whole desired state as plain data with defaults left out (without the settings unless
they are listed), and `problems`: `CODE Kind namespace/name`, all of them. `options` are given to the translator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from fastingress.objects import decode
from fastingress.problems import Origin, Problem
from fastingress.store import Upsert
from fastingress.translate import Options
from tests.unit.translate.support import World, sparse

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.yaml"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixture(path: Path) -> None:
    *manifests, expected = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    world = World(msgspec.convert({"allow_local_endpoints": True, **expected.get("options", {})}, Options))
    changes = []
    for index, raw in enumerate(manifests):
        decoded = decode(raw, Origin("fixture.yaml", 1, index) if expected.get("validated", True) else None)
        assert decoded.object is not None, decoded.problems
        changes.append(Upsert(decoded.object))
    world.apply(changes)
    state: dict[str, Any] = sparse(world.translator.state())
    if "settings process" not in expected["expect"]:
        del state["settings process"]
    assert state == expected["expect"]
    assert sorted(map(_short, world.problems())) == sorted(expected.get("problems", []))


def test_there_are_fixtures() -> None:
    assert FIXTURES


def _short(problem: Problem) -> str:
    ref = problem.object
    if ref is None:
        return problem.code
    return (
        f"{problem.code} {ref.kind} {ref.namespace}/{ref.name}"
        if ref.namespace
        else f"{problem.code} {ref.kind} {ref.name}"
    )
