"""What came out of a run as Markdown, from its record: the bounds first, and what is not met last."""

from __future__ import annotations

from benches.compare.record import BASE, Record, ScenarioFound, Spread


def markdown(kept: Record) -> str:
    """The bounds, the machine, each scenario, and what is not met."""
    parts = ["# fastingress beside other proxies", "", *bounds(kept), "", "## Machine", ""]
    parts += [f"- {line}" for line in kept.machine.lines()]
    for scenario in kept.scenarios:
        parts += ["", *of_scenario(scenario, kept.versions)]
    return "\n".join([*parts, "", "## Not met", "", *unmet(kept)])


def bounds(kept: Record) -> list[str]:
    """All of them in one table, in the order of the scenarios."""
    rows = [
        f"| {scenario.name}: {bound.metric} | {bound.found} | {bound.at_most} | {bound.word} |"
        for scenario in kept.scenarios
        for bound in scenario.bounds
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
    held, broken, missing = (kept.bounds(state) for state in ("kept", "broken", "not measured"))
    lines = [f"{len(held)} bounds are kept, {len(broken)} broken, {len(missing)} not measured.", ""]
    lines += [f"- {scenario.name}: {bound.sentence}" for scenario, bound in (*broken, *missing)]
    return lines


def _confidence(scenario: ScenarioFound) -> str:
    """What the interval beside a median is, if there is one."""
    found = {peer.to_base.confidence for peer in scenario.peers if peer.to_base}
    return f" ({min(found):.0%} interval)" if scenario.rounds > 1 and found else ""


def _spread(found: Spread) -> str:
    both = found.low < found.high
    return f"{found.median:.2f}" + (f" ({found.low:.2f} to {found.high:.2f})" if both else "")
