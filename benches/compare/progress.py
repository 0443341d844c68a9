"""Says how far a run has come."""

from __future__ import annotations

from benches.compare.scenarios import Scenario


def turn(scenario: Scenario, peer: str, number: int, text: str) -> None:
    """One peer has had its turn in a round, the first of which is 1, and `text` is what was found."""
    del scenario
    print(f"  round {number}: {peer} {text}", flush=True)
