"""The command line: `run` (the default), `routes`, `explain`, `check`, `rbac`.

| module | what it is |
|---|---|
| `serving` | the command `run`, and how its plain command lines are read without typer |
| `commands` | the commands and their arguments, for typer |
| `arguments` | the options of commands, made from their declaration in `config` |
| `sections` | how help is written |
| `asking` | the same questions to manifests or to a running gateway |
| `rbac` | the permissions of a controller as YAML |
| `show` | answers as tables and as JSON |

Errors are one line on standard error. Exit status: 0; 1 when it cannot be done, or when `check` finds errors; 2 for a
wrong command line or option.
"""

from __future__ import annotations

from fastingress.cli.main import main

__all__ = ["main"]
