"""Path types: Exact, Prefix by element, ImplementationSpecific, and which of several rules wins."""

from __future__ import annotations

import pytest

from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service


@pytest.mark.parametrize(
    ("kind", "rule", "target", "taken"),
    [
        ("Exact", "/foo", "/foo", True),
        ("Exact", "/foo", "/foo?a=b", True),
        ("Exact", "/foo", "/foo/", False),
        ("Exact", "/foo", "/FOO", False),
        ("Exact", "/foo", "/foo/bar", False),
        ("Prefix", "/foo", "/foo", True),
        ("Prefix", "/foo", "/foo/", True),
        ("Prefix", "/foo", "/foo/bar", True),
        ("Prefix", "/foo", "/foobar", False),
        ("Prefix", "/foo", "/Foo", False),
        ("Prefix", "/foo/", "/foo", True),
        ("Prefix", "/aaa/bb", "/aaa/bbb", False),
        ("Prefix", "/", "/anything/at/all", True),
        ("ImplementationSpecific", "/foo", "/foobar", True),
        ("ImplementationSpecific", "/foo", "/fo", False),
        ("ImplementationSpecific", None, "/anything", True),
        # matched in normalised form
        ("Prefix", "/foo", "/%66oo/x", True),
        ("Prefix", "/foo", "/bar/../foo", True),
        ("Prefix", "/foo/bar", "//foo//bar", True),
        ("Prefix", "/foo/bar", "/foo%2Fbar", False),
        ("Exact", "/a b", "/a%20b", True),
    ],
)
def test_a_rule_takes_what_its_type_says(
    serve: Serve, backends: Backends, kind: str, rule: str | None, target: str, taken: bool
) -> None:
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web", rule, kind=kind)))
    assert gateway.get(target).status == (200 if taken else 404)


@pytest.mark.parametrize(
    ("target", "answered_by"),
    [
        ("/", "root"),
        ("/cart", "cart exactly"),
        ("/cart/", "cart"),
        ("/cart/items", "items"),  # an element prefix ignores the trailing slash of its rule
        ("/cart/items/1", "items"),
        ("/cart/itemsX", "cart"),
        ("/cartoons", "root"),
    ],
)
def test_the_longest_path_wins_and_exact_goes_before_prefix(
    serve: Serve, backends: Backends, target: str, answered_by: str
) -> None:
    rules = {
        "root": Rule("root", "/"),
        "cart": Rule("cart", "/cart"),
        "cart exactly": Rule("cart-exactly", "/cart", kind="Exact"),
        "items": Rule("items", "/cart/items/"),
    }
    services = [service(rule.service, backends(name)) for name, rule in rules.items()]
    gateway = serve(*services, ingress("shop", *rules.values()))
    assert gateway.get(target).text == answered_by


def test_the_target_is_forwarded_as_the_client_sent_it(serve: Serve, backends: Backends) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web", "/foo")))
    targets = ["/bar/../foo/%7Euser?x=%2F&y", "/foo//a;b=c/%e2%82%ac", "/foo/./x"]
    for target in targets:
        assert gateway.get(target).status == 200
    assert backend.targets() == targets


@pytest.mark.parametrize("target", ["/foo/%00", "/foo/..%2fadmin", "/%2e%2e%5cadmin", "/%zz", "/%", "/../../etc"])
def test_a_path_that_could_mean_two_things_is_refused(serve: Serve, backends: Backends, target: str) -> None:
    backend = backends("web")
    gateway = serve(service("web", backend), ingress("web", Rule("web")))
    assert gateway.get(target).status == 400
    assert backend.received == b""
