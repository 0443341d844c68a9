"""The translator redoes what a change touches and nothing else, and ends where a fresh start would."""

from __future__ import annotations

import pytest

from fastingress.objects import Ingress
from fastingress.problems import ObjectRef
from fastingress.store import Delete, Upsert, View
from fastingress.translate import Options, Translator
from fastingress.translate.ingress import IngressResult, translate_ingress
from tests.unit.translate.support import World, ingress, keys, objects

SERVICE = """
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {ports: [{port: 80, targetPort: 8080}]}
"""
SLICE = """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{port: 8080}]
    endpoints: [{addresses: [10.0.0.1]}]
"""


def many(count: int, host: str = "h{i}.example.com") -> str:
    one = """
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {{name: i{i}}}
    spec:
      ingressClassName: fastingress
      rules:
        - host: {host}
          http:
            paths:
              - {{path: /p{i}, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""
    return "---".join(one.format(i=i, host=host.format(i=i)) for i in range(count))


@pytest.mark.parametrize("host", ["h{i}.example.com", "shared.example.com"])
def test_one_edit_among_a_thousand_ingresses_costs_one_ingress_and_one_fragment(host: str) -> None:
    world = World()
    world.put(many(1000, host))
    edited = many(1000, host).split("---")[500].replace("/p500", "/other")
    delta = world.put(edited)
    assert (delta.counts.ingresses, delta.counts.endpoint_sets, delta.counts.settings) == (1, 0, 0)
    assert [kind for kind, _ in delta.upserts] == ["fragment"]
    assert not delta.removals


def test_one_endpoint_change_among_a_thousand_ingresses_translates_no_ingress() -> None:
    world = World()
    world.put(many(1000) + "---" + SERVICE + "---" + SLICE)
    delta = world.put(SLICE.replace("10.0.0.1", "10.0.0.2"))
    assert (delta.counts.ingresses, delta.counts.endpoint_sets) == (0, 1)
    assert list(delta.upserts) == [("endpoints", "default/web:80")]


def test_a_change_that_nobody_reads_costs_nothing() -> None:
    world = World()
    world.put(ingress())
    delta = world.put(SERVICE.replace("web", "other") + "---" + SLICE.replace("web", "other"))
    assert delta.counts == type(delta.counts)()
    assert not delta.upserts


def test_a_service_that_appears_later_wakes_those_who_asked_for_it() -> None:
    world = World()
    first = world.put(ingress())
    assert [p.code for p in first.problems["endpoints:default/web:80"]] == ["MissingService"]
    second = world.put(SERVICE + "---" + SLICE)
    assert second.counts.ingresses == 0
    assert second.problems == {"endpoints:default/web:80": []}
    assert world.entry("endpoints", "default/web:80").addresses == ("10.0.0.1:8080",)


def test_a_shared_problem_is_one_problem_of_each_owner() -> None:
    world = World()
    world.put(many(2))
    problems = world.translator.problems()["endpoints:default/web:80"]
    assert [str(problem.object) for problem in problems] == ["Ingress default/i0", "Ingress default/i1"]
    delta = world.delete(many(1))
    assert [str(p.object) for p in delta.problems["endpoints:default/web:80"]] == ["Ingress default/i1"]


def test_shared_entries_go_with_their_last_owner() -> None:
    world = World()
    world.put(ingress({"proxy-read-timeout": "5"}) + "---" + SERVICE)
    assert len(keys(world.translator.state(), "upstream")) == 1
    other = ingress({"proxy-read-timeout": "5"}).replace("name: shop", "name: other")
    assert keys(world.put(other).upserts, "upstream") == []
    assert world.delete(other).removals == {("fragment", "shop.example.com/manifest/Ingress/default/other")}
    delta = world.delete(ingress())
    assert keys(delta.removals, "endpoints") == ["default/web:80"]
    assert len(keys(delta.removals, "upstream")) == 1
    assert list(world.translator.state()) == [("settings", "process")]


def test_owners_of_an_entry_are_the_ingresses_that_lead_to_it() -> None:
    world = World(Options(default_ssl_certificate="default/tls"))
    world.put(many(2) + "---" + SERVICE)
    owners = world.translator.owners(("endpoints", "default/web:80"))
    assert owners == [ObjectRef("Ingress", "default", f"i{i}", f"manifest/Ingress/default/i{i}") for i in (0, 1)]
    assert world.translator.owners(("certificate", "default/tls")) == []
    fragment = ("fragment", "h0.example.com/manifest/Ingress/default/i0")
    assert [ref.name for ref in world.translator.owners(fragment)] == ["i0"]
    assert world.translator.owners(("endpoints", "no/such:1")) == []


def test_two_ingresses_with_one_uid_both_serve() -> None:
    world = World()
    copied = ingress().replace("name: shop", "name: shop\n  uid: u-1")
    world.put(copied)
    assert keys(world.translator.state(), "fragment") == ["shop.example.com/u-1"]
    twin = copied.replace("name: shop", "name: copy")
    world.put(twin)
    both = ["shop.example.com/u-1~default/copy", "shop.example.com/u-1~default/shop"]
    assert keys(world.translator.state(), "fragment") == both
    assert world.digest() == world.fresh().digest()
    world.delete(copied)
    assert keys(world.translator.state(), "fragment") == ["shop.example.com/u-1"]


def test_an_ingress_that_is_made_again_under_its_name_replaces_its_fragments() -> None:
    world = World()
    world.put(ingress().replace("name: shop", "name: shop\n  uid: first"))
    delta = world.put(ingress().replace("name: shop", "name: shop\n  uid: second"))
    assert delta.removals == {("fragment", "shop.example.com/first")}
    assert list(delta.upserts) == [("fragment", "shop.example.com/second")]


def test_a_full_update_of_an_unchanged_store_changes_nothing() -> None:
    world = World()
    world.put(many(50) + "---" + SERVICE + "---" + SLICE)
    delta = world.translator.update(world.store.view(), None)
    assert delta.counts.ingresses == 50
    assert (delta.upserts, delta.removals, delta.problems) == ({}, set(), {})


def test_a_paged_update_pauses_and_ends_in_the_same_delta() -> None:
    world, paged = World(), Translator(Options(allow_local_endpoints=True))
    expected = world.put(many(200))
    pages, pauses = paged.update_paged(world.store.view(), None), 0
    while True:
        try:
            next(pages)
        except StopIteration as done:
            delta = done.value
            break
        pauses += 1
    assert pauses > 3
    assert (delta.upserts, delta.problems) == (expected.upserts, expected.problems)


def test_what_a_closed_update_left_undone_the_next_one_does() -> None:
    world, paged = World(), Translator(Options(allow_local_endpoints=True))
    world.put(many(200))
    pages = paged.update_paged(world.store.view(), None)
    next(pages)
    pages.close()
    delta = paged.update(world.store.view(), set())
    assert delta.upserts == world.translator.state()
    paged.check_invariants()


def test_a_defect_in_one_unit_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_for_i1(view: View, item: Ingress, options: Options) -> IngressResult:
        if item.metadata.name == "i1":
            raise RuntimeError("a defect")
        return translate_ingress(view, item, options)

    world = World()
    world.put(many(3))
    monkeypatch.setattr("fastingress.translate.engine.translate_ingress", fails_for_i1)
    delta = world.put(many(3).replace("/p", "/q"))
    assert keys(delta.upserts, "fragment") == [f"h{i}.example.com/manifest/Ingress/default/i{i}" for i in (0, 2)]
    assert [p.code for p in delta.problems["ingress:default/i1"]] == ["InternalError"]
    monkeypatch.undo()
    assert keys(world.translator.update(world.store.view(), None).upserts, "fragment") == [
        "h1.example.com/manifest/Ingress/default/i1"
    ]


def test_deletion_and_creation_in_one_batch_leave_no_trace_of_the_old() -> None:
    world = World()
    world.put(ingress())
    old, new = objects(ingress())[0], objects(ingress(path="/new"))[0]
    delta = world.apply([Delete(old.key), Upsert(new)])
    assert list(delta.upserts) == [("fragment", "shop.example.com/manifest/Ingress/default/shop")]
    assert not delta.removals
