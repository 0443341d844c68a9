"""Runs a command line, and turns errors into one line and a status."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from fastingress.errors import SCARCE, ConfigError, FastingressError, UrlError, worded

_PROGRAM = "fastingress"
_FAILED = 1
_WRONG_USE = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names from files may hold anything
    try:
        status = _obey(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except (ConfigError, UrlError) as error:
        return _complain(str(error), _WRONG_USE)
    except BrokenPipeError:
        # Whoever read our output has gone, which is no error; nothing more may be written at exit.
        _silence()
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if _wants_trace(arguments) and not _is_expected(error):
            traceback.print_exception(error)
        return _complain(_unwritten(error) or worded(error), _FAILED)


def _obey(arguments: Sequence[str]) -> int:
    # Nothing that imports this package pays for what a command line needs, nor most command lines for typer.
    from fastingress.cli.serving import plain, serve

    words = _switches(arguments)
    options = plain(words)
    if options is not None:
        return serve(options)
    from fastingress.cli.commands import command, is_usage_error

    try:
        status = command().main(args=words, prog_name=_PROGRAM, standalone_mode=False)
    except Exception as error:
        if not is_usage_error(error):
            raise
        return _complain(f"{error.format_message()} ({_help_for(error)})", _WRONG_USE)  # type: ignore[attr-defined]
    return status if isinstance(status, int) else 0


def _help_for(error: Any) -> str:
    """Where to look up what would have been right."""
    path = error.ctx.command_path if error.ctx is not None else _PROGRAM
    if path != _PROGRAM:
        return f"{path} --help lists all options"
    return f"{_PROGRAM} --help lists all commands, {_PROGRAM} run --help all options"


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


def _is_expected(error: Exception) -> bool:
    """Whether the message says it all."""
    return isinstance(error, FastingressError) and error.__cause__ is None


def _wants_trace(arguments: Sequence[str]) -> bool:
    """Asked of the bare words: what went wrong may have done so before they were parsed."""
    words = " ".join(arguments).replace("=", " ")
    return "--log-level debug" in words or os.environ.get("FASTINGRESS_LOG_LEVEL") == "debug"


def _unwritten(error: Exception) -> str:
    """What to say when it was our output that could not be written, of which an error names no file; else nothing."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno in SCARCE:
        return ""
    _silence()
    return f"standard output cannot be written: {worded(error)}"


def _silence() -> None:
    """What is left to write goes nowhere: the interpreter would try, and complain, at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _complain(message: str, status: int) -> int:
    print(f"fastingress: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return status
