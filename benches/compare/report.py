"""Says what came out: tables to read and JSON to keep."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benches.compare.churn import Churned
from benches.compare.idle import Idled
from benches.compare.load import Loaded
from benches.compare.rounds import figure, interval, ratios
from benches.compare.scenarios import Scenario, title
from benches.compare.verdict import Verdict, summary, verdicts

Result = Loaded | Idled | Churned
Results = Mapping[str, Result]
BASE = "nginx"


def markdown(found: Mapping[Scenario, Results], versions: Mapping[str, str]) -> str:
    """Each scenario, and in the end what became of all bounds."""
    judged = {scenario: verdicts(scenario, results, by_name(found)) for scenario, results in found.items()}
    parts = [of_scenario(scenario, results, versions, judged[scenario]) for scenario, results in found.items()]
    return "\n".join([*parts, summary([each for some in judged.values() for each in some])])


def by_name(found: Mapping[Scenario, Results]) -> dict[str, Results]:
    """The results, by name of scenario."""
    return {scenario.name: results for scenario, results in found.items()}


def of_scenario(
    scenario: Scenario, results: Results, versions: Mapping[str, str], judged: Sequence[Verdict] | None = None
) -> str:
    """A heading, a table with one row a peer, and one with one row a bound."""
    metric = scenario.metric
    return "\n".join(
        [
            f"## {scenario.name}",
            "",
            title(scenario),
            "",
            f"| proxy | {metric.name} | to {BASE}: median{_rounds(results)} | {scenario.beside} |",
            "|---|---|---|---|",
            *(_row(scenario, name, results, versions[name]) for name in results),
            "",
            "| bound | found | at most | |",
            "|---|---|---|---|",
            *(
                f"| {each.metric} | {each.figure} | {each.limit} | {each.word} |"
                for each in (verdicts(scenario, results) if judged is None else judged)
            ),
            "",
        ]
    )


def to_json(found: Mapping[Scenario, Results], versions: Mapping[str, str]) -> str:
    """Everything measured."""
    return json.dumps(
        {
            "machine": {"processor": _processor(), "kernel": platform.release()},
            "versions": dict(versions),
            "scenarios": [
                {
                    "scenario": asdict(scenario),
                    "results": {name: asdict(result) for name, result in results.items()},
                    "bounds": [
                        {**asdict(each.bound), "found": each.found and asdict(each.found), "kept": each.kept}
                        for each in verdicts(scenario, results, by_name(found))
                    ],
                }
                for scenario, results in found.items()
            ],
        },
        indent=2,
    )


def _rounds(results: Results) -> str:
    """What the interval beside a median is, if there is one."""
    rounds = max((len(result.values) for result in results.values()), default=0)
    return f" ({interval(range(rounds)).confidence:.0%} interval)" if rounds > 1 else ""


def _row(scenario: Scenario, name: str, results: Results, version: str) -> str:
    result, base = results[name], results.get(BASE)
    ratio = _spread(ratios(result, base)) if base is not None else ""
    cells = [scenario.metric.text(figure(result)), ratio, result.beside]
    return f"| {name} {version} | " + " | ".join(cells) + " |"


def _spread(found: list[float]) -> str:
    each = interval(found)
    return f"{each.median:.2f} ({each.low:.2f} to {each.high:.2f})" if len(found) > 1 else f"{each.median:.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
