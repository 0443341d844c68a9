"""The one table of what is asked of the API server: kind, verbs, scope, whether it is required, which flag needs it.

The RBAC objects (`rbac`), the reference page (`reference`) and the check at the start (`access`) are made from it, and
no call is made that it does not cover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fastingress.sources.cluster.options import ClusterOptions

Where = Literal["cluster", "watched", "own", "named"]
"""Of the whole cluster; in each watched namespace; in the own one; one by one, by name."""
Names = Mapping[str, Sequence[str]]
"""Names by namespace; an empty namespace for kinds that are cluster-scoped, no names for all of them."""

ALWAYS = ""


@dataclass(frozen=True, kw_only=True)
class Named:
    """Objects that are granted one by one, beside those that the options name."""

    secrets: Names
    config_maps: Names


NOBODY = Named(secrets={}, config_maps={})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One permission."""

    kind: str
    group: str = ""
    """Empty for the core group."""
    version: str = "v1"
    resource: str
    """The plural, with a subresource after a slash."""
    verbs: tuple[str, ...]
    where: Where
    required: bool = False
    """Whether nothing can be served without it."""
    flag: str = ALWAYS
    """What asks for it; empty when it always is."""
    lost: str
    """What is lost without it, to be said after "without it"."""
    asked: Callable[[ClusterOptions], bool] = lambda options: True
    names: Callable[[ClusterOptions, Named], Names] | None = None
    """Narrows it to these objects."""

    @property
    def full_resource(self) -> str:
        """As kubectl writes it: `ingresses.networking.k8s.io`, `ingresses.networking.k8s.io/status`."""
        plural, slash, sub = self.resource.partition("/")
        return f"{plural}{'.' if self.group else ''}{self.group}{slash}{sub}"

    def path(self, namespace: str = "") -> str:
        """Of the collection, in a namespace or in all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.resource}" if namespace else f"{root}/{self.resource}"


@dataclass(frozen=True)
class Grant:
    """A row at one place: in a namespace, or, with an empty one, in all of them or of the whole cluster."""

    row: Row
    namespace: str
    names: tuple[str, ...] = ()
    """The only objects; empty for all."""


def grants(options: ClusterOptions, named: Named = NOBODY) -> Iterator[Grant]:
    """All permissions that these options need, in the order of the table."""
    for row in ROWS:
        if row.asked(options):
            for namespace, names in _places(row, options, named).items():
                yield Grant(row, namespace, tuple(names))


def row_for(kind: str, options: ClusterOptions, *, where: Where | None = None) -> Row:
    """The row of a kind that these options ask for."""
    return next(
        row for row in ROWS if row.kind == kind and row.asked(options) and (where is None or row.where == where)
    )


def _places(row: Row, options: ClusterOptions, named: Named) -> Names:
    if row.names is not None:
        return row.names(options, named)
    if row.where == "own":
        return {options.own_namespace: ()}
    if row.where == "watched" and options.namespaces:
        return dict.fromkeys(options.namespaces, ())
    return {"": ()}


def _elects(options: ClusterOptions) -> bool:
    return options.update_status or options.publish_events


def _config_maps(options: ClusterOptions, named: Named) -> Names:
    """Those named; if none are, any of the watched namespaces and of the own one, which still cannot be listed. Those
    that flags name are among them wherever they are."""
    flagged: dict[str, list[str]] = {}
    for text in options.config_maps:
        namespace, _, name = text.partition("/")
        flagged.setdefault(namespace, []).append(name)
    if named.config_maps:
        spaces = dict.fromkeys((*named.config_maps, *flagged))
        return {
            space: [*dict.fromkeys((*named.config_maps.get(space, ()), *flagged.get(space, ())))] for space in spaces
        }
    if options.cluster_wide:
        return {"": ()}
    return {**flagged, **dict.fromkeys((*options.namespaces, options.own_namespace), ())}


def _publish_service(options: ClusterOptions, _named: Named) -> Names:
    namespace, _, name = options.publish_service.partition("/")
    return {namespace: (name,)}


def _publishes_from_outside(options: ClusterOptions) -> bool:
    namespace = options.publish_service.partition("/")[0]
    return bool(namespace) and not options.watches(namespace)


_LEAVING = "an Ingress whose namespace is being deleted does not yield to another one of the same host and path"
_NETWORKING = "networking.k8s.io"

ROWS: tuple[Row, ...] = (
    Row(
        kind="Ingress",
        group=_NETWORKING,
        resource="ingresses",
        verbs=("list", "watch"),
        where="watched",
        required=True,
        lost="there is nothing to serve",
    ),
    Row(
        kind="Service",
        resource="services",
        verbs=("list", "watch"),
        where="watched",
        required=True,
        lost="no backend is known",
    ),
    Row(
        kind="EndpointSlice",
        group="discovery.k8s.io",
        resource="endpointslices",
        verbs=("list", "watch"),
        where="watched",
        required=True,
        lost="no backend has an address",
    ),
    Row(
        kind="IngressClass",
        group=_NETWORKING,
        resource="ingressclasses",
        verbs=("list", "watch"),
        where="cluster",
        lost="classes are told by name only, and there is neither a default class nor a class with parameters",
    ),
    Row(
        kind="Namespace",
        resource="namespaces",
        verbs=("list", "watch"),
        where="cluster",
        required=True,
        flag="--watch-namespace-selector",
        lost="it is not known which namespaces match",
        asked=lambda options: bool(options.namespace_selector),
    ),
    Row(
        kind="Namespace",
        resource="namespaces",
        verbs=("list", "watch"),
        where="cluster",
        lost=_LEAVING,
        asked=lambda options: not options.namespace_selector and not options.namespaces,
    ),
    Row(
        kind="Namespace",
        resource="namespaces",
        verbs=("get", "watch"),
        where="cluster",
        flag="--watch-namespace",
        lost=_LEAVING,
        asked=lambda options: bool(options.namespaces),
        names=lambda options, named: {"": options.namespaces},
    ),
    Row(
        kind="Secret",
        resource="secrets",
        verbs=("list", "watch", "get"),
        where="watched",
        flag="--secret-access=watch",
        lost="hosts answer with the default certificate, and what a Secret protects is closed",
        asked=lambda options: options.secret_access == "watch",
    ),
    Row(
        kind="Secret",
        resource="secrets",
        verbs=("get", "watch"),
        where="named",
        flag="--secret-access=named",
        lost="hosts answer with the default certificate, and what this Secret protects is closed",
        asked=lambda options: options.secret_access == "named",
        names=lambda options, named: named.secrets,
    ),
    Row(
        kind="Secret",
        resource="secrets",
        verbs=("get", "watch"),
        where="named",
        flag="a flag that names a Secret outside of the watched namespaces",
        lost="the flag has no effect",
        asked=lambda options: options.secret_access == "watch",
        names=lambda options, named: {
            namespace: names for namespace, names in named.secrets.items() if not options.covers(namespace)
        },
    ),
    Row(
        kind="ConfigMap",
        resource="configmaps",
        verbs=("get", "watch"),
        where="named",
        lost="a class whose parameters name it has the settings of the flags, and its TCP and UDP services are closed",
        names=_config_maps,
    ),
    Row(
        kind="Service",
        resource="services",
        verbs=("get", "watch"),
        where="named",
        flag="--publish-service, for a Service outside of the watched namespaces",
        lost="the addresses of that Service are not published",
        asked=_publishes_from_outside,
        names=_publish_service,
    ),
    Row(
        kind="Node",
        resource="nodes",
        verbs=("list", "watch"),
        where="cluster",
        flag="--publish-node-addresses",
        lost="no addresses are published",
        asked=lambda options: options.nodes,
    ),
    Row(
        kind="Node",
        resource="nodes",
        verbs=("get", "watch"),
        where="cluster",
        flag="--topology-aware-routing",
        lost="the own zone is not known, and endpoints of all zones are used alike",
        asked=lambda options: options.zone and not options.nodes,
    ),
    Row(
        kind="Pod",
        resource="pods",
        verbs=("list", "watch"),
        where="own",
        flag="--publish-node-addresses",
        lost="it is not known on which nodes this controller runs, and no addresses are published",
        asked=lambda options: options.nodes,
    ),
    Row(
        kind="Lease",
        group="coordination.k8s.io",
        resource="leases",
        verbs=("create",),
        where="own",
        flag="--update-status, --publish-events",
        lost="no replica leads: neither status nor Events are written",
        asked=_elects,
    ),
    Row(
        kind="Lease",
        group="coordination.k8s.io",
        resource="leases",
        verbs=("get", "update"),
        where="own",
        flag="--update-status, --publish-events",
        lost="no replica leads: neither status nor Events are written",
        asked=_elects,
        names=lambda options, named: {options.own_namespace: (options.election_id,)},
    ),
    Row(
        kind="Ingress",
        group=_NETWORKING,
        resource="ingresses/status",
        verbs=("patch",),
        where="watched",
        flag="--update-status",
        lost="Ingresses do not show their addresses",
        asked=lambda options: options.update_status,
    ),
    Row(
        kind="Event",
        group="events.k8s.io",
        resource="events",
        verbs=("create", "patch"),
        where="watched",
        flag="--publish-events",
        lost="problems are in the log and at the admin port only",
        asked=lambda options: options.publish_events,
    ),
)
