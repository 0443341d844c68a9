"""What the Rust side refused becomes a problem of the object whose owner has to act."""

from __future__ import annotations

import msgspec

from fastingress.model import IngressRef, Key, ReportedProblem
from fastingress.objects import Ingress, Object, Secret
from fastingress.objects.base import ObjectMeta
from fastingress.objects.ingress import IngressRule, IngressSpec, IngressTLS
from fastingress.problems import ObjectRef, Origin
from fastingress.publish import Refusals
from fastingress.store import Store, Upsert


def ingress(name: str) -> Ingress:
    return Ingress(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"), origin=Origin(f"{name}.yaml", 3, 1)
    )


def refusals(*objects: Object, owners: dict[Key, list[str]] | None = None) -> Refusals:
    store = Store()
    store.apply([Upsert(one) for one in objects])
    owned = owners or {}
    return Refusals(store.view(), lambda key: [ObjectRef("Ingress", "default", name) for name in owned.get(key, ())])


def test_a_refused_ingress_is_told_with_its_file() -> None:
    reported = ReportedProblem(code="InvalidRegex", ingress=IngressRef("default", "shop", "u"), message="bad regex")
    scopes = refusals(ingress("shop")).by_scope([("host:shop.example.com", (reported,))])
    (problem,) = scopes["table/host:shop.example.com"]
    assert (problem.code, problem.severity, problem.message) == ("InvalidRegex", "error", "bad regex")
    assert problem.object == ObjectRef("Ingress", "default", "shop", "uid-shop")
    assert problem.origin == Origin("shop.yaml", 3, 1)


def test_a_bad_certificate_is_a_problem_of_each_ingress_that_uses_it() -> None:
    reported = ReportedProblem(code="InvalidCertificate", ingress=None, message="the key is not PEM")
    secret = Secret(metadata=ObjectMeta(name="tls", namespace="default"))
    owners: dict[Key, list[str]] = {("certificate", "default/tls"): ["a", "c"]}
    table = refusals(ingress("a"), ingress("b"), ingress("c"), secret, owners=owners)
    scopes = table.by_scope([("certificate:default/tls", (reported,))])
    problems = scopes["table/certificate:default/tls"]
    assert [one.object.name for one in problems if one.object] == ["a", "c"]
    assert {one.message for one in problems} == {"the key is not PEM"}
    assert [str(one.origin) for one in problems] == ["a.yaml:3", "c.yaml:3"]


def test_a_bad_certificate_that_only_a_flag_names_is_a_problem_of_the_secret() -> None:
    reported = ReportedProblem(code="CertificateExpired", ingress=None, message="expired")
    secret = Secret(metadata=ObjectMeta(name="tls", namespace="default"), origin=Origin("tls.yaml", 1, 0))
    (problem,) = refusals(secret).by_scope([("certificate:default/tls", (reported,))])["table/certificate:default/tls"]
    assert problem.object == ObjectRef("Secret", "default", "tls")
    assert problem.severity == "warning"
    assert problem.origin == Origin("tls.yaml", 1, 0)


def test_a_certificate_for_other_names_is_a_problem_of_the_ingresses_of_the_host() -> None:
    reported = ReportedProblem(code="CertificateNameMismatch", ingress=None, message="not for it")
    named = msgspec.structs.replace(ingress("a"), spec=IngressSpec(tls=(IngressTLS(hosts=("shop.example.com",)),)))
    rules = IngressSpec(tls=(IngressTLS(secret_name="tls"),), rules=(IngressRule(host="shop.example.com"),))
    by_rule = msgspec.structs.replace(ingress("b"), spec=rules)
    told = refusals(named, by_rule, ingress("c")).by_scope([("certificate-name:shop.example.com", (reported,))])
    problems = told["table/certificate-name:shop.example.com"]
    assert [one.object.name for one in problems if one.object] == ["a", "b"]
    assert {one.severity for one in problems} == {"warning"}


def test_an_empty_scope_clears_it_and_a_scope_without_an_object_names_itself() -> None:
    reported = ReportedProblem(code="Undecodable", ingress=None, message="not msgpack")
    scopes = refusals().by_scope([("host:a", ()), ("upstream:abc", (reported,))])
    assert scopes["table/host:a"] == []
    (problem,) = scopes["table/upstream:abc"]
    assert (problem.object, problem.message) == (None, "upstream abc: not msgpack")
