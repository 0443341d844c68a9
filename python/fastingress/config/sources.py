"""Where values come from: the command line, then the environment, then the default; or keyword arguments."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from fastingress.config.declared import Config
from fastingress.config.flag import ENVIRONMENT_PREFIX, FLAGS, Flag
from fastingress.errors import ConfigError


def from_arguments(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> Config:
    """The configuration of a command line. Arguments that are `None` or empty were not given.

    Raises `ConfigError` naming the flag or the variable.
    """
    values: dict[str, Any] = {}
    for flag in FLAGS.values():
        given = arguments.get(flag.name)
        if given is not None and given != ():
            values[flag.name] = _parse(flag, given, flag.option)
        elif _is_set(flag, environment):
            values[flag.name] = _parse(flag, environment[flag.variable], flag.variable)
    return Config(**values)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that has our prefix and is no option: probably a misspelt one."""
    known = {flag.variable for flag in FLAGS.values()}
    return [
        f"{name}: there is no such option{_hint(name, sorted(known))}"
        for name in sorted(environment)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not _is_service_variable(name)
    ]


def from_options(options: Mapping[str, Any]) -> Config:
    """The configuration of keyword arguments.

    Raises `ConfigError` naming the argument, and `TypeError` for an unknown one.
    """
    for name in options:
        if name not in FLAGS:
            raise TypeError(f"{name!r} is not an option{_hint(name, list(FLAGS))}")
    return Config(**{name: _parse(FLAGS[name], value, name) for name, value in options.items()})


def _parse(flag: Flag, value: Any, named: str) -> Any:
    try:
        return flag.kind.parse(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{named}: {error}") from None


def _is_set(flag: Flag, environment: Mapping[str, str]) -> bool:
    """Whether the variable is set, and not by Kubernetes, for a Service that happens to have the name."""
    value = environment.get(flag.variable)
    return value is not None and not value.startswith(("tcp://", "udp://"))


def _is_service_variable(name: str) -> bool:
    """Kubernetes sets these in every pod beside a Service that is called `fastingress`."""
    rest = name.removeprefix(ENVIRONMENT_PREFIX)
    return rest.startswith(("SERVICE_", "PORT")) or "_SERVICE_" in rest or "_PORT" in rest


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
