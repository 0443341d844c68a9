"""The reference page of all options, made from their declaration."""

from __future__ import annotations

from fastingress.config.declared import Config
from fastingress.config.flag import FLAGS

_HEAD = f"""# Options

Made from `fastingress.config.{Config.__name__}`; do not edit. Each flag is also an environment variable and a keyword
argument of `fastingress.Gateway`. A flag beats the variable, which beats the default. Durations are written `500ms`,
`10s`, `2m`; sizes `512k`, `8m`, `1g`; the values of a list stand between
commas, paths between colons.

Options that contradict each other are refused at the start. One that has no effect beside the others is a warning in
the log. `fastingress check` takes them all, and says both without starting anything.
"""


def markdown() -> str:
    """The page."""
    lines = [_HEAD]
    group = ""
    for flag in FLAGS.values():
        if flag.group != group:
            group = flag.group
            lines += [f"## {group}", "", "| flag | variable | default | |", "|---|---|---|---|"]
        text = flag.help.replace("|", "\\|")
        value = f" {flag.kind.metavar}".rstrip().replace("|", "\\|")
        lines.append(f"| `{flag.option}{value}` | `{flag.variable}` | {flag.shown_default} | {text} |")
        if _last_of_group(flag.name):
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _last_of_group(name: str) -> bool:
    names = list(FLAGS)
    after = names[names.index(name) + 1 :]
    return not after or FLAGS[after[0]].group != FLAGS[name].group
