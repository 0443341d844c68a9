"""Requests to the API as values: what was asked for, in the words of Kubernetes, and which of them a test means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PLACE = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>.+))?)?$"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass
class Call:
    """One request that came to the proxy, and what became of it."""

    method: str
    path: str
    query: Mapping[str, str]
    at: float
    """When its head had arrived; monotonic, seconds."""
    agent: str = ""
    """Its User-Agent."""
    status: int | None = None
    """The status that the client was told; None: none, or not yet."""
    fault: str = ""
    """The name of the fault that befell it."""
    verb: str = field(init=False)
    """As in RBAC, in small letters. A streaming list is a watch."""
    resource: str = field(init=False)
    """The plural, with the subresource as in `ingresses/status`; empty for paths that are no object's."""
    namespace: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Reads the path."""
        place = _PLACE.match(self.path)
        parts: dict[str, str | None] = place.groupdict() if place else {}
        self.resource = "/".join(part for part in (parts.get("resource"), parts.get("sub")) if part)
        self.namespace = parts.get("namespace") or ""
        self.name = parts.get("name") or ""
        self.verb = self._verb()

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.resource or self.path, self.name) if part)
        details = " ".join(f"{key}={value}" for key, value in self.query.items())
        fault = f" ({self.fault})" if self.fault else ""
        return f"{self.at:.3f} {self.agent[:20]}: {self.verb} {where} {self.status}{fault} {details}".rstrip()

    @property
    def is_streaming_list(self) -> bool:
        """A watch that begins with all there is."""
        return self.verb == "watch" and self.query.get("sendInitialEvents") == "true"

    @property
    def is_list(self) -> bool:
        """Asks for all there is, in either way; a later page of a list does not count, nor does a question for a single
        object, by which the newest version is found out."""
        is_first_page = "continue" not in self.query and self.query.get("limit") != "1"
        return (self.verb == "list" and is_first_page) or self.is_streaming_list

    def _verb(self) -> str:
        if self.method in _VERBS:
            return _VERBS[self.method]
        if self.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        if self.query.get("watch") in ("1", "true"):
            return "watch"
        return "list" if self.resource and not self.name else "get"


@dataclass(frozen=True)
class Match:
    """Which calls are meant; what is left out matters not."""

    verb: str = ""
    """Or several, with spaces between them."""
    resource: str = ""
    namespace: str | None = None
    name: str = ""
    path: str = ""
    """A regular expression, found anywhere in the path."""
    status: int | None = None
    agent: str = ""
    """Part of the User-Agent: tells controllers from kubectl."""
    is_list: bool | None = None
    is_streaming_list: bool | None = None

    def takes(self, call: Call) -> bool:
        """Whether the call is one of these."""
        return (
            (not self.verb or call.verb in self.verb.split())
            and self.resource in ("", call.resource)
            and self.namespace in (None, call.namespace)
            and self.name in ("", call.name)
            and re.search(self.path, call.path) is not None
            and self.status in (None, call.status)
            and self.agent in call.agent
            and self.is_list in (None, call.is_list)
            and self.is_streaming_list in (None, call.is_streaming_list)
        )
