"""Skips tests for which something is missing, and says so at the end in one loud line; or refuses to run without it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

_REQUIRED = os.environ.get("REQUIRE_ALL_TESTS", "") not in ("", "0")


class Skipping:
    """What one folder skips."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def without(self, missing: Callable[[], str], items: list[pytest.Item], what: str) -> None:
        """Skips `items` if there is a reason to. Raises UsageError if nothing may be skipped in this run."""
        reason = missing() if items else ""
        if not reason:
            return
        if _REQUIRED:
            raise pytest.UsageError(f"REQUIRE_ALL_TESTS is set, and there is {reason}")
        self._lines.append(f"{what} SKIPPED, {len(items)} of them: {reason}")
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))

    def tell(self, reporter: pytest.TerminalReporter) -> None:
        """One loud line for each reason."""
        for line in self._lines:
            reporter.write_sep("!", line, red=True, bold=True)


def that_use(fixture: str, items: list[pytest.Item]) -> list[pytest.Item]:
    """Those of the tests that use a fixture."""
    return [item for item in items if fixture in getattr(item, "fixturenames", ())]
