"""What came out of a run as Markdown, from its record: the bounds first, and what is not met last."""

from __future__ import annotations

from typing import get_args

from benches.compare.record import BASE, BoundFound, Record, ScenarioFound, Spread
from benches.compare.verdict import State


def markdown(kept: Record) -> str:
    """The bounds, the machine, each scenario, and what is not met."""
    parts = ["# fastingress beside other proxies", "", *bounds(kept), "", "## Machine", ""]
    parts += machine(kept)
    for scenario in kept.scenarios:
        parts += ["", *of_scenario(scenario, kept.versions)]
    return "\n".join([*parts, "", "## Not met", "", *unmet(kept)])


def machine(kept: Record) -> list[str]:
    """A list of what it is and did, of what makes load and is behind the proxies, and of who is absent."""
    named = ", ".join(f"{name} {version}" for name, version in kept.tools.items())
    tools = [f"load and backends: {named}"] if named else []  # which older runs do not say
    work = [line for each in kept.further for line in each.during()]
    return [f"- {line}" for line in (*kept.machine.lines(), *work, *tools, *kept.absent)]


def bounds(kept: Record) -> list[str]:
    """Those that this project is held to, and those that it only should not be above, in the order of the scenarios."""
    found = [(scenario, bound) for scenario in kept.scenarios for bound in scenario.bounds]
    held, beside = ([each for each in found if each[1].promised == promised] for promised in (True, False))
    lines = _bounds(held)
    return [*lines, "", "Beside these, what should not be above others:", "", *_bounds(beside)] if beside else lines


def _bounds(found: list[tuple[ScenarioFound, BoundFound]]) -> list[str]:
    rows = [
        f"| {scenario.name}: {bound.metric} | {bound.found} | {bound.at_most} | {bound.word} |"
        for scenario, bound in found
    ]
    return ["| scenario | found | at most | |", "|---|---|---|---|", *rows]


def of_scenario(scenario: ScenarioFound, versions: dict[str, str]) -> list[str]:
    """A heading, and a table with one row a peer."""
    lines = [f"## {scenario.name}", "", f"{scenario.title}.", ""]
    lines += [f"| proxy | {scenario.metric} | to {BASE}: median{_confidence(scenario)} | {scenario.beside} |"]
    lines += ["|---|---|---|---|"]
    for peer in scenario.peers:
        ratio = _spread(peer.to_base) if peer.to_base else ""
        lines.append(f"| {peer.name} {versions.get(peer.name, '')} | {peer.shown} | {ratio} | {peer.beside} |")
    for name, reason in scenario.left_out.items():
        lines += ["", f"{name} is left out: {' '.join(reason.split())}"]
    return lines


def unmet(kept: Record) -> list[str]:
    """Says plainly which bounds are not met and by how much, and which nobody measured."""
    held, broken, open_, missing = (kept.bounds(state) for state in get_args(State))
    counts = f"{len(broken)} broken, {len(open_)} not settled, {len(missing)} not measured"
    lines = [f"{len(held)} bounds are kept, {counts}.", ""]
    lines += [f"- {scenario.name}: {bound.sentence}" for scenario, bound in (*broken, *open_, *missing)]
    return lines


def _confidence(scenario: ScenarioFound) -> str:
    """What the interval beside a median is, if there is one."""
    found = {peer.to_base.confidence for peer in scenario.peers if peer.to_base}
    return f" ({min(found):.0%} interval)" if scenario.rounds > 1 and found else ""


def _spread(found: Spread) -> str:
    both = found.low < found.high
    return f"{found.median:.2f}" + (f" ({found.low:.2f} to {found.high:.2f})" if both else "")
