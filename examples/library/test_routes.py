"""How a project tests its own Ingress manifests: which rule takes a URL, and that nothing is wrong with them.

python -m pytest examples/library
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

import fastingress

MANIFESTS = Path(__file__).parents[1] / "shop"


@pytest.fixture(scope="module")
def table() -> fastingress.RouteTable:
    """The table that a gateway would serve."""
    return fastingress.RouteTable.from_manifests(MANIFESTS)


def test_nothing_is_wrong_with_the_manifests(table: fastingress.RouteTable) -> None:
    assert table.problems == []


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("http://shop.localhost/", "default/storefront:http"),
        ("http://shop.localhost/cart/add", "default/cart:80"),
        ("http://shop.localhost/cartoons", "default/storefront:http"),
        ("http://api.shop.localhost/v1/books", "default/catalog:http"),
        ("http://unknown.example/", "default/storefront:http"),
    ],
)
def test_a_url_goes_to_its_service(table: fastingress.RouteTable, url: str, service: str) -> None:
    match = table.match(url)
    assert match is not None
    assert match.service == service


def test_the_office_is_closed_to_strangers() -> None:
    with fastingress.Gateway(MANIFESTS) as gateway:
        request = urllib.request.Request(gateway.http_url, headers={"Host": "office.shop.localhost"})
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
    refusal.value.close()
    assert refusal.value.code == 403
