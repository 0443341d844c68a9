"""The reference page of permissions, made from their table."""

from __future__ import annotations

import re

from fastingress.sources.cluster.kinds import ROWS, Row, Where

_HEAD = """\
# Permissions

Made from `fastingress.sources.cluster.kinds`; do not edit. This is all that fastingress asks of the API server, and
`fastingress rbac` prints the RBAC objects that grant it, for the flags that are given to it.

What is *required* must be granted: until it is, the controller is not ready, and says what it waits for. Everything
else is missed by name: a line in the log and a problem at the admin port name verb, resource and namespace, what is
lost is in the last column, and it is asked for again, every 30 seconds in the end.

*Watched namespaces* are all namespaces (a ClusterRole), those of `--watch-namespace` (a Role in each), or those that
match `--watch-namespace-selector` (a ClusterRole, since any namespace may match). Kinds of the *cluster* have no
namespace, so no Role can grant them: they need a ClusterRole even with `--watch-namespace`, and whoever may not create
one does without them. *By name* means `resourceNames`: the rules hold for those objects alone, and nothing is listed.

| resource | verbs | where | required | needed by | without it |
|---|---|---|---|---|---|
"""
_TAIL = """
Events are written into the namespace of the object that they are about, and into `default` for kinds of the cluster;
with `--watch-namespace`, problems of objects outside of these namespaces are in the log and at the admin port only.

Every account may ask for its own permissions (`SelfSubjectAccessReview`), which is done at the start, and for
`/version`, which tells whether the API server can be reached.

## Secrets

With `--secret-access=watch` the Secrets of the watched namespaces are listed and watched, but only those that an
accepted Ingress or a flag names are kept; of the others nothing but name and version stays in memory. Who may not, or
does not want to, grant that uses `--secret-access=named`: each needed Secret is watched on its own, and the rules name
it. A Secret that no rule names is a problem that says so.

```
fastingress rbac --secret-access named --secret shop/tls --secret shop/users --watch-namespace shop
```
"""
_WHERE: dict[Where, str] = {
    "cluster": "cluster",
    "watched": "watched namespaces",
    "own": "own namespace",
    "named": "by name",
}


def markdown() -> str:
    """The page."""
    return _HEAD + "".join(map(_line, ROWS)) + _TAIL


def _line(row: Row) -> str:
    cells = (
        f"`{row.full_resource}`",
        ", ".join(row.verbs),
        _where(row),
        "yes" if row.required else "",
        _flag(row),
        row.lost,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _where(row: Row) -> str:
    if row.names is None or row.where == "named":
        return _WHERE[row.where]
    return f"{_WHERE[row.where]}, by name"


def _flag(row: Row) -> str:
    return re.sub(r"--[a-z=-]+", r"`\g<0>`", row.flag)
