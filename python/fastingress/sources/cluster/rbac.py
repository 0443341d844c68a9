"""The smallest RBAC that works, made from the table of permissions.

What is needed in all namespaces, or of the whole cluster, is one ClusterRole; what is needed in one namespace is a Role
there. The ServiceAccount itself is not made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastingress.sources.cluster.kinds import NOBODY, Grant, Named, grants
from fastingress.sources.cluster.options import ClusterOptions

_API = "rbac.authorization.k8s.io"


def rbac(options: ClusterOptions, named: Named = NOBODY, *, name: str = "fastingress") -> list[dict[str, Any]]:
    """Roles and their bindings to the ServiceAccount `name` of the own namespace; all have that name too.

    `named` holds what is granted by name: with `secret_access` `named`, all Secrets that may be read.
    """
    places: dict[str, list[Grant]] = {}
    for grant in grants(options, named):
        places.setdefault(grant.namespace, []).append(grant)
    made = []
    for namespace in sorted(places):
        role = "Role" if namespace else "ClusterRole"
        made.append(
            {
                "apiVersion": f"{_API}/v1",
                "kind": role,
                "metadata": _metadata(name, namespace),
                "rules": _rules(places[namespace]),
            }
        )
        made.append(
            {
                "apiVersion": f"{_API}/v1",
                "kind": f"{role}Binding",
                "metadata": _metadata(name, namespace),
                "roleRef": {"apiGroup": _API, "kind": role, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": options.own_namespace}],
            }
        )
    return made


def _metadata(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, "namespace": namespace} if namespace else {"name": name}


def _rules(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """A rule for each row, and one for those that differ in the resource alone."""
    rules: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for grant in grants:
        row = grant.row
        resources = rules.setdefault((row.group, row.verbs, grant.names), [])
        if row.resource not in resources:
            resources.append(row.resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            **({"resourceNames": list(names)} if names else {}),
            "verbs": list(verbs),
        }
        for (group, verbs, names), resources in rules.items()
    ]
