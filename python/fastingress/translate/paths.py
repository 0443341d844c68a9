"""What kind of path rule crosses the boundary: the path type, seen with `use-regex` and `rewrite-target`.

By default a regular expression stays with the path that asks for it: of an Ingress that uses them, `Exact` paths stay
exact, `Prefix` paths without special characters stay prefixes, and all others are regular expressions. With
`compat=ingress-nginx` kinds cross as they are, and the fragment says that its whole host reads paths as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastingress.model import Compat, PathKind, Route
from fastingress.objects import HTTPIngressPath

_SPECIAL = re.compile(r"[\\^$*+?()\[\]{}|]")
_CAPTURE = re.compile(r"\$\d")

_KINDS: dict[str, PathKind] = {"Exact": "exact", "Prefix": "prefix", "ImplementationSpecific": "raw_prefix"}


def uses_regex(use_regex: bool, rewrite: str | None) -> bool:
    """Whether the paths of an Ingress may be regular expressions."""
    return use_regex or (rewrite is not None and _CAPTURE.search(rewrite) is not None)


def path_and_kind(path: HTTPIngressPath, regex: bool, compat: Compat) -> tuple[str, PathKind]:
    """The path and its kind as they cross. `regex` is what `uses_regex` said."""
    kind = _KINDS[path.path_type]
    if compat == "ingress-nginx" or not regex or kind == "exact" or not path.path:
        return path.path, kind
    if kind == "prefix" and not _SPECIAL.search(path.path):
        return path.path, kind
    return path.path.removeprefix("^"), "regex"


def turns_host_into_regex(routes: Iterable[Route], use_regex: bool, rewrite: str | None, compat: Compat) -> bool:
    """Whether, as in ingress-nginx, every path of the host becomes a regular expression."""
    if compat != "ingress-nginx":
        return False
    return use_regex or (rewrite is not None and any(route.path != rewrite for route in routes))
