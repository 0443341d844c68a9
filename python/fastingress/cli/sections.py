"""Help in sections, with the headings and in the order of the reference page.

Not every version of typer writes what an argument is called in the same way, so that is done here too.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

_OWN = "Options"


class Command(TyperCommand):
    """A command with its options by their groups."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: D102 # as in the base
        return ["[OPTIONS]", *(argument.metavar for argument in _arguments(self, ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: D102 # as in the base
        _write(formatter, "Arguments", [(argument.metavar, argument.help) for argument in _arguments(self, ctx)])
        _write_options(self, ctx, formatter)


class Commands(TyperGroup):
    """All commands, which come before the options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: D102 # as in the base
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)


def _arguments(command: Any, ctx: Any) -> list[Any]:
    return [param for param in command.get_params(ctx) if param.param_type_name == "argument"]


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Those of the command itself first; a hidden one has no row."""
    sections: dict[str, list[Any]] = {_OWN: []}
    for param in command.get_params(ctx):
        if param.param_type_name == "option" and (row := param.get_help_record(ctx)) is not None:
            sections.setdefault(getattr(param, "rich_help_panel", None) or _OWN, []).append(row)
    for heading, rows in sections.items():
        _write(formatter, heading, rows)


def _write(formatter: Any, heading: str, rows: list[Any]) -> None:
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows)
