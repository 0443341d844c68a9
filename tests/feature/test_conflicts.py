"""Two Ingresses claim one host and path: the oldest wins, the other is told who did."""

from __future__ import annotations

from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def test_the_oldest_wins_and_the_loser_gets_a_problem_naming_it(serve: Serve, backends: Backends) -> None:
    gateway = serve(
        service("old", backends("old")),
        service("young", backends("young")),
        ingress("young", Rule("young", "/x", host="shop.example.com"), created=YOUNG),
        ingress("old", Rule("old", "/x", host="shop.example.com"), created=OLD),
    )
    assert gateway.get("/x", host="shop.example.com").text == "old"
    problem = gateway.problem("ConflictLost")
    assert problem["object"]["name"] == "young"
    for word in ("default/old", "shop.example.com", "/x"):
        assert word in problem["message"]


def test_the_loser_takes_over_when_the_winner_goes(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("old", backends("old")), service("young", backends("young")))
    gateway.put("old", ingress("old", Rule("old", "/x"), created=OLD))
    gateway.put("young", ingress("young", Rule("young", "/x"), created=YOUNG))
    gateway.problem("ConflictLost")
    gateway.remove("old")
    eventually(lambda: gateway.get("/x").text == "young")
    eventually(lambda: gateway.problems() == [])


def test_without_creation_times_files_decide_by_name(serve: Serve, backends: Backends) -> None:
    gateway = serve(service("a", backends("a")), service("b", backends("b")))
    gateway.put("2-second", ingress("a", Rule("a", "/x")))
    eventually(lambda: gateway.get("/x").text == "a")
    gateway.put("1-first", ingress("b", Rule("b", "/x")))
    eventually(lambda: gateway.get("/x").text == "b")
