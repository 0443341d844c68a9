"""Skips the tests that need helm where there is none, and says so at the end."""

from __future__ import annotations

import os

import pytest

from tests.support import helm as program

REQUIRED = os.environ.get("REQUIRE_CLUSTER_TESTS", "") not in ("", "0")
_skipped: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs helm uses the fixture of that name."""
    ours = [item for item in items if "helm" in getattr(item, "fixturenames", ())]
    reason = program.missing() if ours else ""
    if not reason:
        return
    if REQUIRED:
        raise pytest.UsageError(f"REQUIRE_CLUSTER_TESTS is set, and there is {reason}")
    _skipped.append(f"TESTS OF THE CHART SKIPPED, {len(ours)} of them: {reason}")
    for item in ours:
        item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line."""
    for line in _skipped:
        terminalreporter.write_sep("!", line, red=True, bold=True)


@pytest.fixture
def helm() -> None:
    """For tests that run it; `tests.support.helm` does."""
