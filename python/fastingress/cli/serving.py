"""The command `run`, and its plain command lines, which are read without typer: loading it and asking it takes as long
as all the rest of a start.

Plain is `run` or no command, and options that there are, each with its value. Everything else is for typer to read:
help, other commands, and every mistake. So nothing is refused here, and no message is written twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastingress.config import FLAGS, Flag, from_arguments, unknown_variables


def serve(options: Mapping[str, Any]) -> int:
    """Serves until a signal asks to stop; the exit status. Raises `FastingressError`."""
    from fastingress.app import run

    return run(from_arguments(options, os.environ), warnings=unknown_variables(os.environ))


def plain(words: Sequence[str]) -> dict[str, Any] | None:
    """The options of a plain command line, as typer would have them; None when it is not plain."""
    rest = iter(words[1:] if words[:1] == ["run"] else words)
    options: dict[str, Any] = {}
    for word in rest:
        name, separator, value = word.partition("=")
        flag = _OPTIONS.get(name)
        if flag is None or (flag.kind.boolean and separator):
            return None
        if flag.kind.boolean:
            options[flag.name] = name == flag.option
            continue
        text = value if separator else _value(rest)
        if text is None:
            return None
        options[flag.name] = [*options.get(flag.name, ()), text] if flag.kind.repeatable else text
    return options


def _value(rest: Iterator[str]) -> str | None:
    """The word after an option; None if it may be meant as another option."""
    word = next(rest, "-")
    return None if word.startswith("-") else word


def _options() -> Iterator[tuple[str, Flag]]:
    for flag in FLAGS.values():
        yield flag.option, flag
        if flag.kind.boolean:
            yield f"--no-{flag.option[2:]}", flag


_OPTIONS = dict(_options())
"""By what is written for it."""
