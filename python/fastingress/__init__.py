"""fastingress: a Kubernetes ingress controller that you can pip install.

    import fastingress

    table = fastingress.RouteTable.from_manifests("manifests/")
    match = table.match("https://shop.example.com/cart")

    with fastingress.Gateway("manifests/") as gateway:
        print(gateway.http_url)

Importing the package loads nothing else; each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastingress._core import __version__ as __version__
    from fastingress.errors import AdminError, ConfigError, FastingressError, StartError, UrlError
    from fastingress.library import Explanation, Gateway, Match, RouteTable
    from fastingress.problems import ObjectRef, Origin, Problem

__all__ = [
    "AdminError",
    "ConfigError",
    "Explanation",
    "FastingressError",
    "Gateway",
    "Match",
    "ObjectRef",
    "Origin",
    "Problem",
    "RouteTable",
    "StartError",
    "UrlError",
]

_HOMES = {
    "__version__": "fastingress._core",
    "AdminError": "fastingress.errors",
    "ConfigError": "fastingress.errors",
    "Explanation": "fastingress.library",
    "FastingressError": "fastingress.errors",
    "Gateway": "fastingress.library",
    "Match": "fastingress.library",
    "ObjectRef": "fastingress.problems",
    "Origin": "fastingress.problems",
    "Problem": "fastingress.problems",
    "RouteTable": "fastingress.library",
    "StartError": "fastingress.errors",
    "UrlError": "fastingress.errors",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
