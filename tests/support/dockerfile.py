"""Reads a Dockerfile: enough to check it, and to do its steps, where no image can be built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction."""

    name: str
    """In capitals: `RUN`."""
    flags: dict[str, str]
    """`--from=install` as `from`."""
    text: str
    """What follows, on one line."""


@dataclass(frozen=True)
class Stage:
    """A `FROM` and what follows it."""

    base: str
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Dockerfile:
    """Arguments before the first stage, with their defaults, and the stages."""

    arguments: dict[str, str]
    stages: tuple[Stage, ...]

    def base_of(self, stage: Stage, **given: str) -> str:
        """What the stage is built on, when these arguments are given."""
        values = {**self.arguments, **given}
        return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], stage.base)


def parse(path: Path) -> Dockerfile:
    """Raises `ValueError` for what cannot be an instruction."""
    arguments: dict[str, str] = {}
    stages: list[tuple[str, str, list[Step]]] = []
    for step in _steps(path.read_text(encoding="utf-8")):
        if step.name == "FROM":
            found = re.fullmatch(r"(\S+)(?: AS (\S+))?", step.text)
            if found is None:
                raise ValueError(f"FROM {step.text}")
            stages.append((found[1], found[2] or "", []))
        elif stages:
            stages[-1][2].append(step)
        elif step.name == "ARG":
            name, _, value = step.text.partition("=")
            arguments[name] = value
        else:
            raise ValueError(f"{step.name} before the first FROM")
    return Dockerfile(arguments, tuple(Stage(base, name, tuple(steps)) for base, name, steps in stages))


def _steps(text: str) -> list[Step]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [_step(line) for line in joined.splitlines()]


def _step(line: str) -> Step:
    found = re.fullmatch(r"([A-Z]+)((?: --[a-z]+=\S+)*) (.+)", line)
    if found is None:
        raise ValueError(f"not an instruction: {line!r}")
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in found[2].split())
    return Step(found[1], flags, found[3].strip())
