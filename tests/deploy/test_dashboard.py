"""The dashboard asks for metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.helm import CHART, ROOT

DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
OBSERVING = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")
OF_THE_SCRAPE = {"pod", "le"}
"""Labels that no row of the table has: Prometheus adds the one, histograms have the other."""


def documented() -> dict[str, set[str]]:
    """The labels of each metric of docs/observing.md."""
    found = {}
    for line in OBSERVING.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1].startswith(("`fastingress_", "`process_")):
            for name in re.findall(r"`([a-z_]+)`", cells[1]):
                found[name] = {label.strip() for label in cells[2].split(",") if label.strip()}
    return found


def expressions() -> list[str]:
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return targets + [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]


def test_every_metric_is_documented() -> None:
    metrics = documented()
    assert len(metrics) > 15
    for expression in expressions():
        for name in re.findall(r"\b(?:fastingress|process)_[a-z_]+", expression):
            assert re.sub(r"_bucket$", "", name) in metrics, name


def test_every_label_is_one_that_the_metric_has() -> None:
    metrics = documented()
    for expression in expressions():
        for name, selected in re.findall(r"\b((?:fastingress|process)_[a-z_]+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"([a-z_]+)=~?\"", selected))
            assert labels <= metrics[re.sub(r"_bucket$", "", name)] | OF_THE_SCRAPE, expression


def test_every_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
