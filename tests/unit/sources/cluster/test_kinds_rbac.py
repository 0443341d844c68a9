"""The table of permissions, and what is made from it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from fastingress.objects import KINDS
from fastingress.sources.cluster.kinds import ROWS, Named, grants, row_for
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.rbac import rbac
from fastingress.sources.cluster.reference import markdown

DOCS = Path(__file__).parents[4] / "docs"
SECRETS = Named(secrets={"shop": ("tls", "users"), "ingress": ("default",)}, config_maps={})
EVERYTHING: dict[str, tuple[Any, ...]] = {
    "secret_access": ("watch", "named"),
    "nodes": (False, True),
    "zone": (False, True),
    "publish_service": ("", "ingress/front"),
    "update_status": (False, True),
    "publish_events": (False, True),
}
SCOPES: tuple[dict[str, Any], ...] = ({}, {"namespaces": ("shop", "blog")}, {"namespace_selector": "team=a"})
ALL_OPTIONS = [
    ClusterOptions(own_namespace="ingress", **scope, **dict(zip(EVERYTHING, values, strict=True)))
    for scope in SCOPES
    for values in product(*EVERYTHING.values())
]


def rules(objects: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Every single permission: namespace, resource, verb, name."""
    return {
        (role["metadata"].get("namespace", ""), resource, verb, name)
        for role in objects
        for rule in role.get("rules", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def test_the_page_is_what_the_table_says() -> None:
    assert (DOCS / "permissions.md").read_text(encoding="utf-8") == markdown(), "run `make docs`"
    assert markdown().count("\n| `") == len(ROWS)


def test_every_row_is_asked_for_by_some_options_and_says_what_is_lost() -> None:
    asked = {id(grant.row) for options in ALL_OPTIONS for grant in grants(options, SECRETS)}
    assert asked == {id(row) for row in ROWS}
    assert all(row.lost and row.verbs for row in ROWS)
    assert all(row.kind in KINDS for row in ROWS if "watch" in row.verbs)


def test_what_is_granted_is_exactly_what_the_rows_say() -> None:
    for options in ALL_OPTIONS:
        expected = {
            (grant.namespace, grant.row.resource, verb, name)
            for grant in grants(options, SECRETS)
            for verb in grant.row.verbs
            for name in grant.names or ("",)
        }
        assert rules(rbac(options, SECRETS)) == expected


def test_every_role_is_bound_once_to_the_account() -> None:
    for options in ALL_OPTIONS:
        objects = rbac(options, SECRETS, name="edge")
        roles = [(one["kind"], one["metadata"].get("namespace")) for one in objects if "rules" in one]
        bound = [(one["roleRef"]["kind"], one["metadata"].get("namespace")) for one in objects if "roleRef" in one]
        assert roles == bound
        assert len(set(roles)) == len(roles)
        assert {one["metadata"]["name"] for one in objects} == {"edge"}
        subjects = [subject for one in objects for subject in one.get("subjects", ())]
        assert all(one == {"kind": "ServiceAccount", "name": "edge", "namespace": "ingress"} for one in subjects)


def test_watched_namespaces_have_roles_and_only_kinds_of_the_cluster_a_cluster_role() -> None:
    found = rules(rbac(ClusterOptions(namespaces=("shop",), own_namespace="ingress"), SECRETS))
    assert {resource for namespace, resource, _, _ in found if not namespace} == {"ingressclasses", "namespaces"}
    assert ("", "namespaces", "watch", "shop") in found
    assert ("shop", "ingresses", "list", "") in found
    assert ("shop", "ingresses/status", "patch", "") in found
    assert ("ingress", "leases", "update", "fastingress-leader") in found
    assert ("ingress", "secrets", "get", "default") in found, "the flags may name one outside"


@pytest.mark.parametrize("scope", SCOPES)
def test_named_secrets_need_no_permission_to_list_and_are_named(scope: dict[str, Any]) -> None:
    found = rules(rbac(ClusterOptions(secret_access="named", own_namespace="ingress", **scope), SECRETS))
    secrets = {(namespace, verb, name) for namespace, resource, verb, name in found if resource == "secrets"}
    places = {("shop", "tls"), ("shop", "users"), ("ingress", "default")}
    assert secrets == {(namespace, verb, name) for namespace, name in places for verb in ("get", "watch")}


def test_config_maps_are_as_wide_as_the_namespaces_until_they_are_named() -> None:
    def config_maps(options: ClusterOptions, named: Named) -> set[tuple[str, str, str]]:
        found = rules(rbac(options, named))
        return {(namespace, verb, name) for namespace, kind, verb, name in found if kind == "configmaps"}

    nothing = Named(secrets={}, config_maps={})
    one = Named(secrets={}, config_maps={"ingress": ("settings",)})
    listed = ClusterOptions(namespaces=("shop",), own_namespace="ingress")
    assert {place for place, _, _ in config_maps(ClusterOptions(), nothing)} == {""}
    assert {place for place, _, _ in config_maps(listed, nothing)} == {"shop", "ingress"}
    assert config_maps(listed, one) == {("ingress", "get", "settings"), ("ingress", "watch", "settings")}
    assert config_maps(ClusterOptions(), one) == {("ingress", "get", "settings"), ("ingress", "watch", "settings")}


def test_the_published_service_is_granted_by_name_unless_its_kind_is() -> None:
    def services(**scope: Any) -> set[tuple[str, str]]:
        found = rules(rbac(ClusterOptions(publish_service="ingress/front", **scope)))
        return {(namespace, name) for namespace, kind, _, name in found if kind == "services"}

    assert services() == {("", "")}
    assert services(namespaces=("ingress",)) == {("ingress", "")}
    assert services(namespaces=("shop",)) == {("shop", ""), ("ingress", "front")}


def test_paths_and_names_of_rows() -> None:
    row = row_for("Ingress", ClusterOptions(), where="watched")
    assert row.path() == "/apis/networking.k8s.io/v1/ingresses"
    assert row.path("shop") == "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"
    assert row_for("Service", ClusterOptions()).path("shop") == "/api/v1/namespaces/shop/services"
    status = next(row for row in ROWS if "/" in row.resource)
    assert status.full_resource == "ingresses.networking.k8s.io/status"


def test_events_and_status_may_be_written_exactly_where_the_options_cover_it() -> None:
    for options in ALL_OPTIONS:
        found = {(place, kind) for place, kind, _, _ in rules(rbac(options)) if kind in ("events", "ingresses/status")}
        for namespace in ("shop", "blog", "ingress", "default"):
            covered = {kind for place, kind in found if place in ("", namespace)}
            flags = {"events": options.publish_events, "ingresses/status": options.update_status}
            assert covered == {kind for kind, asked in flags.items() if asked and options.covers(namespace)}


def test_namespaces_by_name_and_by_selector_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        ClusterOptions(namespaces=("shop",), namespace_selector="a=b")
