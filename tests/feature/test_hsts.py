"""Strict-Transport-Security: where it is sent, what it says, and who has the last word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.backend import Exchange
from tests.support.certificates import Authority, blind
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.http2 import Http2Client
from tests.support.manifests import OURS, Rule, ingress, service

HOST, BARE = "shop.example.com", "bare.example.com"
NAME = "strict-transport-security"
DEFAULT = "max-age=31536000; includeSubDomains"


def says_its_own(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.answer(200, b"web", [("Strict-Transport-Security", "max-age=1")])


def start(serve: Serve, backends: Backends, authority: Authority, **options: Any) -> Served:
    annotations = options.pop("annotations", {})
    return serve(
        service("web", backends("web", says_its_own)),
        authority.issue(HOST).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}, annotations=annotations),
        ingress("bare", Rule("web", host=BARE)),
        **options,
    )


def test_a_host_with_a_certificate_says_it_over_tls_in_place_of_its_backend(
    serve: Serve, backends: Backends, authority: Authority
) -> None:
    gateway = start(serve, backends, authority)
    answer = gateway.get_tls(authority.trusting(), host=HOST)
    assert [value for name, value in answer.headers if name.lower() == NAME] == [DEFAULT]
    assert gateway.get(host=HOST).header(NAME) is None, "without TLS it would mean nothing"
    assert gateway.get_tls(blind(), host=BARE).header(NAME) == "max-age=1", "there is no certificate"
    with Http2Client(gateway.https, tls=authority.trusting(), server_name=HOST) as client:
        assert client.ask(host=HOST).header(NAME) == DEFAULT


def test_answers_of_our_own_say_it_as_well(serve: Serve, backends: Backends, authority: Authority) -> None:
    gateway = start(serve, backends, authority, annotations={"temporal-redirect": "https://example.org/"})
    answer = gateway.get_tls(authority.trusting(), host=HOST)
    assert (answer.status, answer.header(NAME)) == (302, DEFAULT)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"hsts": False}, "max-age=1"),
        ({"hsts_max_age": 60, "hsts_include_subdomains": False}, "max-age=60"),
        ({"hsts_preload": True}, f"{DEFAULT}; preload"),
    ],
)
def test_options_say_what_is_sent(
    serve: Serve, backends: Backends, authority: Authority, options: dict[str, Any], value: str
) -> None:
    gateway = start(serve, backends, authority, **options)
    assert gateway.get_tls(authority.trusting(), host=HOST).header(NAME) == value


def test_an_ingress_has_the_last_word(serve: Serve, backends: Backends, authority: Authority) -> None:
    edits = {f"{OURS}response-headers-set": "Strict-Transport-Security: max-age=5"}
    gateway = start(serve, backends, authority, annotations=edits)
    assert gateway.get_tls(authority.trusting(), host=HOST).header(NAME) == "max-age=5"
