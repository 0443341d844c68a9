"""Command lines that are read without typer: they mean what typer takes them for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.cli import commands
from fastingress.cli.serving import plain
from fastingress.config import FLAGS
from tests.unit.cli.test_process import running

BOOLEANS = [flag for flag in FLAGS.values() if flag.kind.boolean]
OTHERS = [flag for flag in FLAGS.values() if not flag.kind.boolean]
NAMES = [flag.option for flag in FLAGS.values()] + [f"--no-{flag.option[2:]}" for flag in BOOLEANS]
VALUES = ["8080", "", "a=b", "a b", "-1", "-", "--", "--hsts", "run", "ä"]
ODD = ["run", "check", "--help", "-h", "--version", "--", "-", "", "--no-http-port", "--hst", "--nothing=1"]
WORDS = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(VALUES),
    st.sampled_from(ODD),
    st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(VALUES)),
)


def by_typer(words: Sequence[str]) -> dict[str, Any]:
    """What the command `run` is called with. Fails if another one is, or none."""
    called: list[dict[str, Any]] = []

    def serve(options: dict[str, Any]) -> int:
        called.append(options)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "serve", serve)
        commands.command().main(args=list(words), prog_name="fastingress", standalone_mode=False)
    (options,) = called
    return options


@pytest.mark.parametrize("before", [[], ["run"]])
def test_every_option_is_plain_and_means_the_same_in_each_way_to_write_it(before: list[str]) -> None:
    words = [*before, *(f"{flag.option}=1" for flag in OTHERS), *(flag.option for flag in BOOLEANS)]
    assert (plain(words) or {}).keys() == FLAGS.keys()
    assert plain(words) == by_typer(words)
    words = [*before, *(word for flag in OTHERS for word in (flag.option, "1"))]
    words += [f"--no-{flag.option[2:]}" for flag in BOOLEANS]
    assert (plain(words) or {}).keys() == FLAGS.keys()
    assert plain(words) == by_typer(words)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_what_is_plain_means_what_typer_takes_it_for(words: list[str]) -> None:
    options = plain(words)
    if options is not None:
        assert options == by_typer(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["check"],
        ["--hsts", "run"],
        ["--hsts=1"],
        ["--http-port"],
        ["--http-port", "-1"],
        ["--nothing", "1"],
    ],
)
def test_help_other_commands_and_mistakes_are_left_to_typer(words: list[str]) -> None:
    assert plain(words) is None


def test_a_gateway_of_manifests_loads_neither_typer_nor_a_client_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with running() as process:
        loaded = {line.rpartition("|")[2].strip() for line in process.lines if line.startswith("import time:")}
    assert "fastingress.app.service" in loaded
    rooms = {".".join(name.split(".")[:3]) for name in loaded}
    assert not rooms & {"typer", "click", "rich", "kubernetes", "aiohttp", "urllib3", "email", "http.client"}
    assert "fastingress.app.cluster" not in loaded
    assert "fastingress.status" not in loaded
