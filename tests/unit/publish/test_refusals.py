"""What the Rust side refused becomes a problem of the object whose owner has to act."""

from __future__ import annotations

from fastingress.model import IngressRef, ReportedProblem
from fastingress.objects import Ingress, Object, Secret
from fastingress.objects.base import ObjectMeta
from fastingress.objects.ingress import IngressSpec, IngressTLS
from fastingress.problems import ObjectRef, Origin
from fastingress.publish import Refusals
from fastingress.store import Store, Upsert


def ingress(name: str, secret: str = "") -> Ingress:
    return Ingress(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=IngressSpec(tls=(IngressTLS(secret_name=secret),) if secret else ()),
        origin=Origin(f"{name}.yaml", 3, 1),
    )


def refusals(*objects: Object) -> Refusals:
    store = Store()
    store.apply([Upsert(one) for one in objects])
    return Refusals(store.view())


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
    table = refusals(ingress("a", "tls"), ingress("b"), ingress("c", "tls"), secret)
    scopes = table.by_scope([("certificate:default/tls", (reported,))])
    problems = scopes["table/certificate:default/tls"]
    assert [one.object.name for one in problems if one.object] == ["a", "c"]
    assert {one.message for one in problems} == {"Secret default/tls: the key is not PEM"}


def test_a_bad_certificate_that_only_a_flag_names_is_a_problem_of_the_secret() -> None:
    reported = ReportedProblem(code="CertificateExpired", ingress=None, message="expired")
    secret = Secret(metadata=ObjectMeta(name="tls", namespace="default"), origin=Origin("tls.yaml", 1, 0))
    (problem,) = refusals(secret).by_scope([("certificate:default/tls", (reported,))])["table/certificate:default/tls"]
    assert problem.object == ObjectRef("Secret", "default", "tls")
    assert problem.severity == "warning"
    assert problem.origin == Origin("tls.yaml", 1, 0)


def test_an_empty_scope_clears_it_and_a_scope_without_an_object_names_itself() -> None:
    reported = ReportedProblem(code="Undecodable", ingress=None, message="not msgpack")
    scopes = refusals().by_scope([("host:a", ()), ("upstream:abc", (reported,))])
    assert scopes["table/host:a"] == []
    (problem,) = scopes["table/upstream:abc"]
    assert (problem.object, problem.message) == (None, "upstream abc: not msgpack")
