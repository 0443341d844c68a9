"""Fixtures of all tests: backends, a certificate authority, a gateway in this process or in its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import manifests
from tests.support.backend import Backend, Handler, say_name
from tests.support.certificates import Authority, Pair, self_signed_ed25519
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.gateway import Served, in_process
from tests.support.manifests import Manifest
from tests.support.process import Process, command_of
from tests.support.programs import PROGRAMS
from tests.support.skipping import Skipping, that_use

Files = dict[str, list[Manifest]]

_skipping = Skipping()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What takes longer on demand."""
    parser.addoption("--flood-seconds", type=float, default=2.0, help="how long each flood of HTTP/2 frames lasts")
    parser.addoption("--transfer-mib", type=int, help="how many MiB a long transfer has: 64, or 8 by a slow client")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs a program of other people uses the fixture of its name."""
    for name, program in PROGRAMS.items():
        _skipping.without(program.missing, that_use(name, items), f"TESTS WITH {name.upper()}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line for each that is missing."""
    _skipping.tell(terminalreporter)


def _stands_for(name: str) -> None:
    @pytest.fixture(name=name)
    def program() -> None:
        """For tests that run it; `tests.support.programs` does."""

    globals()[name] = program


for _name in PROGRAMS:
    _stands_for(_name)


@pytest.fixture(autouse=True)
def left_as_it_was() -> Iterator[None]:
    """Fails a test that changes what later tests of this process would share unseen."""
    objects, cores = gc.get_freeze_count(), os.sched_getaffinity(0)
    yield
    assert gc.get_freeze_count() == objects, "a test called `collector.resume` in this process"
    assert os.sched_getaffinity(0) == cores, "a test bound this process to some of its cores"


@pytest.fixture
def backends() -> Iterator[Backends]:
    """Starts backends; they end with the test, which fails if one had an error of its own."""
    started: list[Backend] = []
    with ExitStack() as stack:

        def start(name: str, handler: Handler = say_name) -> Backend:
            started.append(stack.enter_context(Backend(name, handler)))
            return started[-1]

        yield start
    assert [error for backend in started for error in backend.errors] == []


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A CA that lives as long as the test run."""
    return Authority()


@pytest.fixture(scope="session")
def ed25519() -> Pair:
    """A self-signed certificate with an Ed25519 key."""
    return self_signed_ed25519("shop.example.com")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of manifests."""
    made = tmp_path / "manifests"
    made.mkdir()
    return made


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Starts gateways in this process. `files` maps names of further files to their objects."""
    with ExitStack() as stack:

        def start(*objects: Manifest, files: Files | None = None, **options: Any) -> Served:
            _fill(folder, objects, files)
            return stack.enter_context(in_process(folder, **options))

        yield start


@pytest.fixture
def spawn(folder: Path) -> Iterator[Spawn]:
    """Starts gateways in processes of their own."""
    with ExitStack() as stack:

        def start(*objects: Manifest, files: Files | None = None, **options: Any) -> Process:
            _fill(folder, objects, files)
            popen = {name: options.pop(name) for name in ("stdin", "stdout", "pass_fds") if name in options}
            process = Process(command_of(folder, **options), folder, dict(os.environ), **popen)
            stack.callback(process.close)
            return process

        yield start


def _fill(folder: Path, objects: tuple[Manifest, ...], files: Files | None) -> None:
    if objects:
        manifests.write(folder / "objects.yaml", *objects)
    for name, contents in (files or {}).items():
        manifests.write(folder / f"{name}.yaml", *contents)
