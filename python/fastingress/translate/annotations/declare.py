"""How an annotation is declared: once, as data.

Validation, the reference page and the problem for a misspelt key all come from the declarations. To add one: declare
it in a family file, name the field of `Policy` or `Upstream` it fills, and write the filter in Rust that honours it.
A family whose keys only mean something together also gives a `combine` function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from fastingress.model import ClientAuth
from fastingress.translate.findings import Finding

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Scope = Literal["ingress", "path", "host"]
Risk = Literal["low", "medium", "high", "critical"]
OnError = Literal["default", "closed"]


@dataclass(frozen=True)
class ValueType(Generic[T_co]):
    """A kind of value: how it is called, an example, and its parser, which raises ValueError with the reason."""

    name: str
    example: str
    parse: Callable[[str], T_co]


@dataclass(frozen=True)
class Annotation(Generic[T_co]):
    """One key, without its prefix."""

    name: str
    type: ValueType[T_co]
    doc: str
    """One line."""
    default: str = ""
    """What holds without it, as text; empty for nothing."""
    scope: Scope = "ingress"
    """What a value reaches: all of the Ingress, each path of it, or its host names."""
    risk: Risk = "low"
    """What a value can do to others or to safety: read by people who restrict who may set which key."""
    fails: OnError | None = None
    """What a bad value does. `closed`: the routes of the Ingress answer 503, since a rule that was meant to keep
    someone out is missing. Unless stated, `closed` for high and critical risk, else `default`."""
    aliases: tuple[str, ...] = ()
    """Other names of the same key; the name itself wins over them."""
    on: Literal["Ingress", "Service"] = "Ingress"
    policy: str = ""
    """The field of `model.Policy` that takes the value as it is."""
    upstream: str = ""
    """The field of `model.Upstream` that takes the value as it is."""

    @property
    def fails_closed(self) -> bool:
        """Whether a bad value takes the routes of its Ingress down."""
        return (self.fails or ("closed" if self.risk in ("high", "critical") else "default")) == "closed"


class Values:
    """The parsed values of one object, by declaration."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def put(self, annotation: Annotation[T], value: T) -> None:
        """Keeps a value."""
        self._values[annotation.name] = value

    def names(self) -> list[str]:
        """Of the annotations that have a value."""
        return list(self._values)

    def get(self, annotation: Annotation[T]) -> T | None:
        """The value; None when the key is absent or was bad."""
        value: T | None = self._values.get(annotation.name)
        return value


@dataclass
class Draft:
    """What comes of the annotations of an Ingress: fields of `Policy` and of `Upstream`, and remarks."""

    values: Values = field(default_factory=Values)
    policy: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    client_auth: ClientAuth | None = None
    failed: set[str] = field(default_factory=set)
    """The names of annotations whose value is bad."""


@dataclass(frozen=True)
class Family:
    """Annotations that belong together: one file, one heading of the reference page."""

    title: str
    annotations: tuple[Annotation[Any], ...]
    combine: Callable[[Draft], None] | None = None
    """Called when an Ingress has any of them, after the plain fields are filled."""
