"""The kinds of value an option can have: each parses what a person wrote, or what a program passed, into one type.

A kind raises `ValueError` with a text that says what is wrong and what would be right; who calls it adds the name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How values of one type are written, parsed and shown."""

    metavar: str
    """Stands for the value in help texts."""
    parse: Callable[[Any], T]
    show: Callable[[Any], str] = str
    repeatable: bool = False
    """The value is a tuple: the flag may be given several times, the variable holds a list with commas."""
    boolean: bool = False
    """`--flag` and `--no-flag`."""


def many(one: Kind[T], *, empty: str, split: str = ",", filled: bool = False) -> Kind[tuple[T, ...]]:
    """A list of another kind, `split` at any of these characters; `empty` says what no value means.

    With `filled` a value that is given must not be empty: an unset variable of a script is not to mean everything.
    """

    def parse(value: Any) -> tuple[T, ...]:
        items: Iterable[Any] = [value] if isinstance(value, (str, os.PathLike)) else value
        parts = [part for item in items for part in _split(item, split)]
        if filled and parts and not any(parts):
            raise ValueError("it must not be empty")
        return tuple(one.parse(part) for part in parts if part != "")

    def show(value: Any) -> str:
        return ",".join(one.show(item) for item in value) or empty

    return Kind(metavar=one.metavar, parse=parse, show=show, repeatable=True)


def choice(*words: str) -> Kind[Any]:
    """One of a few words."""

    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return str(value)

    return Kind(metavar="|".join(words), parse=parse)


def number(*, least: int, most: int | None = None, zero: str = "") -> Kind[int]:
    """A whole number; `zero` says what 0 means."""

    def parse(value: Any) -> int:
        found = _whole(value)
        if found is None or found < least:
            raise ValueError(f"{value!r} is not a whole number of at least {least}")
        if most is not None and found > most:
            raise ValueError(f"{value!r} is too many: at most {most}")
        return found

    return Kind(metavar="N", parse=parse, show=lambda value: zero if zero and value == 0 else str(value))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must not be empty")
    return value.strip()


def _path(value: Any) -> str:
    path = os.fspath(value)
    if not isinstance(path, str) or not path:
        raise ValueError("it must not be empty")
    return path


def _port(value: Any) -> int | None:
    if value is None or value == "off":
        return None
    port = _whole(value)
    if port is None or not 0 <= port <= 65535:
        raise ValueError(f"{value!r} is not a port: 0 to 65535, 0 for a free one, or off")
    return port


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value).strip("[]")))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def _network(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(str(value).strip(), strict=False))
    except ValueError:
        raise ValueError(f"{value!r} is not a network such as 10.0.0.0/8") from None


_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def _duration(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|)", str(value).strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration such as 500ms, 10s, 2m")
        seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    if not 0 <= seconds <= 1_000_000:
        raise ValueError(f"{value!r} is not a duration between 0 and 1000000 seconds")
    return seconds


def _positive_duration(value: Any) -> float:
    seconds = _duration(value)
    if seconds < 0.001:
        raise ValueError(f"{value!r} is too short: at least 1ms")
    return seconds


def _show_duration(value: Any) -> str:
    return f"{value:g}s"


_DAY = 86_400.0
_MOST_DAYS = 3_650


def _days(value: Any) -> float:
    match = re.fullmatch(r"([0-9]{1,4})d", str(value).strip())
    if match is not None:
        seconds = int(match[1]) * _DAY
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = _duration(value)
    if not 0 <= seconds <= _MOST_DAYS * _DAY:
        raise ValueError(f"{value!r} is not between 0 and {_MOST_DAYS} days")
    return seconds


def _show_days(value: Any) -> str:
    return f"{value / _DAY:g}d" if value and value % _DAY == 0 else _show_duration(value)


_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"([0-9]{1,12})([kmg]?)b?", str(value).strip().lower())
    if match is None:
        raise ValueError(f"{value!r} is not a size such as 512k, 8m, 1g, or 0 for no limit")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def _show_size(value: Any) -> str:
    for unit in "gmk":
        if value and value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return str(value)


_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def _named(pattern: str, example: str) -> Callable[[Any], str | None]:
    def parse(value: Any) -> str | None:
        if value is None or value == "":
            return None
        if not re.fullmatch(pattern, str(value)):
            raise ValueError(f"{value!r} is not of the form {example}")
        return str(value)

    return parse


_LABEL_KEY = r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"\s*(?:!\s*{_LABEL_KEY}"
    rf"|{_LABEL_KEY}(?:\s*(?:=|==|!=)\s*{_LABEL_VALUE}"
    rf"|\s+(?:in|notin)\s*\(\s*{_LABEL_VALUE}(?:\s*,\s*{_LABEL_VALUE})*\s*\))?)\s*"
)


def _selector(value: Any) -> str:
    """A label selector, as the API reads it."""
    text = _text(value)
    for part in re.split(r",(?![^(]*\))", text):
        if not _REQUIREMENT.fullmatch(part):
            raise ValueError(f"{value!r} is not a label selector such as team=shop,stage!=test: {part.strip()!r}")
    return text


def _matching(pattern: str, what: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = _text(value)
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{value!r} is not {what}")
        return text

    return parse


def _optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else parse(value)


def _show_optional(value: Any) -> str:
    return "none" if value is None else str(value)


def _split(item: Any, characters: str) -> Iterable[Any]:
    if not isinstance(item, str):
        return [item]
    return [part.strip() for part in re.split(f"[{re.escape(characters)}]", item)]


TEXT = Kind(metavar="TEXT", parse=_text)
PATHS = many(Kind(metavar="PATH", parse=_path), empty="none", split=os.pathsep)
PORT: Kind[int | None] = Kind(metavar="PORT", parse=_port, show=lambda value: "off" if value is None else str(value))
ADDRESS = Kind(metavar="ADDRESS", parse=_address)
NETWORKS = many(Kind(metavar="CIDR", parse=_network), empty="none")
DURATION = Kind(metavar="DURATION", parse=_duration, show=_show_duration)
DAYS = Kind(metavar="DURATION", parse=_days, show=_show_days)
POSITIVE_DURATION = Kind(metavar="DURATION", parse=_positive_duration, show=_show_duration)
SIZE = Kind(metavar="SIZE", parse=_size, show=_show_size)
BOOLEAN = Kind(metavar="", parse=_boolean, show=lambda value: "on" if value else "off", boolean=True)
_NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
SERVICE_PORT: Kind[str | None] = Kind(
    metavar="NAMESPACE/NAME[:PORT]",
    parse=_named(rf"{_NAME}/{_NAME}(:[a-z0-9-]+)?", "namespace/name or namespace/name:port"),
    show=_show_optional,
)
SECRET: Kind[str | None] = Kind(
    metavar="NAMESPACE/NAME", parse=_named(rf"{_NAME}/{_NAME}", "namespace/name"), show=_show_optional
)
SERVICE: Kind[str | None] = Kind(
    metavar="NAMESPACE/NAME", parse=_named(rf"{_NAME}/{_NAME}", "namespace/name"), show=_show_optional
)
STREAMS = many(
    Kind(
        metavar="PORT=NAMESPACE/NAME:PORT",
        parse=_matching(r"[0-9]{1,5}=[^=,\s]+", "a port and a service such as 9000=default/db:5432"),
    ),
    empty="none",
)
FILE: Kind[str | None] = Kind(metavar="FILE", parse=_optional(_path), show=_show_optional)
OPTIONAL_TEXT: Kind[str | None] = Kind(metavar="TEXT", parse=_optional(_text), show=_show_optional)
NAMESPACE = Kind(metavar="NAMESPACE", parse=_matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "the name of a namespace"))
SUBDOMAIN = Kind(metavar="NAME", parse=_matching(rf"(?=.{{1,253}}$){_NAME}", "the name of an object"))
CONTROLLER = Kind(
    metavar="DOMAIN/PATH",
    parse=_matching(rf"(?=.{{1,128}}$){_NAME}/[A-Za-z0-9._~/%-]+", "a controller's name such as example.com/ingress"),
)
SELECTOR: Kind[str | None] = Kind(metavar="SELECTOR", parse=_optional(_selector), show=_show_optional)
UNLESS_SAID: Kind[bool | None] = Kind(
    metavar="",
    parse=_optional(_boolean),
    show=lambda value: "it depends" if value is None else BOOLEAN.show(value),
    boolean=True,
)
"""On, off, or whatever fits the rest of the options."""
