"""Runs a command line, and turns errors into one line and a status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fastingress.errors import ConfigError, FastingressError, UrlError

_FAILED = 1
_WRONG_USE = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    # typer takes a while to load: nothing that imports this package pays for it but a command line.
    from fastingress.cli.commands import command, is_usage_error

    try:
        status = command().main(args=_switches(arguments), prog_name="fastingress", standalone_mode=False)
    except (ConfigError, UrlError) as error:
        return _complain(str(error), _WRONG_USE)
    except FastingressError as error:
        return _complain(str(error), _FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone, which is no error; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if not is_usage_error(error):
            raise
        return _complain(f"{error.format_message()} (fastingress --help lists all options)", _WRONG_USE)  # type: ignore[attr-defined]
    return status if isinstance(status, int) else 0


def _switches(arguments: Sequence[str]) -> list[str]:
    """`--flag=true` and `--flag=false` as the switches they mean."""
    from fastingress.config import FLAGS

    switches = {flag.option: flag for flag in FLAGS.values() if flag.kind.boolean}
    made = []
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if separator and name in switches:
            try:
                on = switches[name].kind.parse(value)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
            argument = name if on else name.replace("--", "--no-", 1)
        made.append(argument)
    return made


def _complain(message: str, status: int) -> int:
    print(f"fastingress: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return status
