"""Under load, with everything changing, no request fails and no WebSocket closes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.storm import Plan, storm


def test_changes_under_load_drop_nothing_and_old_tables_go_away(tmp_path: Path) -> None:
    plan = Plan(seconds=6.0, swaps=100)
    outcome = asyncio.run(storm(tmp_path, plan))
    assert outcome.broken(plan) == [], outcome
