"""Skips the tests that need helm where there is none, and says so at the end."""

from __future__ import annotations

import pytest

from tests.support import helm as program
from tests.support.skipping import Skipping, that_use

_skipping = Skipping()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs helm uses the fixture of that name."""
    _skipping.without(program.missing, that_use("helm", items), "TESTS OF THE CHART")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line."""
    _skipping.tell(terminalreporter)


@pytest.fixture
def helm() -> None:
    """For tests that run it; `tests.support.helm` does."""
