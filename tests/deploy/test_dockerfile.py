"""The Dockerfile: its parts fit, it copies what there is, and the image runs as nobody and without a shell."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from tests.support.dockerfile import Dockerfile, Stage, parse

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy" / "Dockerfile"
KNOWN = {"FROM", "ARG", "COPY", "RUN", "ENV", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT"}
MADE = {"dist/fastingress-*.whl": "make wheel"}
"""What is copied and not in the repository, with what makes it."""


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    return parse(PATH)


@pytest.fixture(scope="module")
def image(dockerfile: Dockerfile) -> Stage:
    return dockerfile.stages[-1]


def test_only_instructions_that_are_understood_here(dockerfile: Dockerfile) -> None:
    assert {step.name for stage in dockerfile.stages for step in stage.steps} <= KNOWN


@pytest.mark.parametrize("source", ["dist", "index"])
def test_a_stage_is_built_on_an_earlier_one_or_on_the_base(dockerfile: Dockerfile, source: str) -> None:
    earlier = {dockerfile.arguments["BASE"]}
    for stage in dockerfile.stages:
        assert dockerfile.base_of(stage, SOURCE=source) in earlier
        for step in stage.steps:
            assert step.flags.get("from", stage.name) in earlier | {stage.name}
        earlier.add(stage.name)


def test_the_base_is_a_version_and_can_be_given_by_digest(dockerfile: Dockerfile, image: Stage) -> None:
    name, _, tag = dockerfile.arguments["BASE"].partition(":")
    assert name == "python"
    assert tag[0].isdigit()
    assert "slim" in tag
    digest = "python:3.13@sha256:" + "0" * 64
    assert dockerfile.base_of(image, BASE=digest) == digest


def test_what_is_copied_is_there_and_not_ignored(dockerfile: Dockerfile) -> None:
    ignore = (PATH.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert ignore[0] == "*"
    admitted = [line[1:] for line in ignore[1:]]
    sources = [
        source
        for stage in dockerfile.stages
        for step in stage.steps
        if step.name == "COPY" and "from" not in step.flags
        for source in step.text.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert source in MADE or (ROOT / source).is_file(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in admitted), source
    text = PATH.read_text(encoding="utf-8")
    assert all(command in text for source, command in MADE.items() if source in sources)


def test_the_image_runs_the_program_itself_as_nobody(image: Stage) -> None:
    said = {step.name: step.text for step in image.steps}
    user, _, group = said["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(said["ENTRYPOINT"]) == ["python", "-m", "fastingress"]
    assert "RUN" not in said, "what the image consists of comes from earlier stages"
    assert said["EXPOSE"].split() == ["8080", "8443", "10254"]
