"""Certificates that are about to expire: told in time, and told when."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.certificates import Pair
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service

HOST = "shop.example.com"


def lasting(left: timedelta) -> Pair:
    """A certificate that has so long to live."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + left)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, None)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(made.public_bytes(Encoding.PEM), private, made.serial_number)


def test_a_certificate_is_told_of_before_it_expires_and_not_once_it_is_renewed(
    serve: Serve, backends: Backends
) -> None:
    gateway = serve(
        service("web", backends("web")),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        files={"cert": [lasting(timedelta(days=13)).secret("cert")]},
    )
    problem = gateway.problem("CertificateExpiresSoon")
    assert (problem["severity"], problem["object"]["name"]) == ("warning", "web")
    assert "Secret default/cert" in problem["message"]
    gateway.put("cert", lasting(timedelta(days=15)).secret("cert"))
    gateway.until(lambda: not gateway.problems())


@pytest.mark.parametrize(
    ("options", "left", "codes"),
    [
        ({"certificate_expiry_warning": "20d"}, timedelta(days=19), ["CertificateExpiresSoon"]),
        ({"certificate_expiry_warning": 0}, timedelta(hours=1), []),
        ({}, timedelta(hours=-1), ["CertificateExpired"]),
    ],
)
def test_how_long_before_can_be_chosen(
    serve: Serve, backends: Backends, options: dict[str, Any], left: timedelta, codes: list[str]
) -> None:
    gateway = serve(
        service("web", backends("web")),
        lasting(left).secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
        **options,
    )
    assert [problem["code"] for problem in gateway.problems()] == codes


def test_the_end_of_each_certificate_is_a_metric(serve: Serve, backends: Backends) -> None:
    pair = lasting(timedelta(days=100))
    gateway = serve(
        service("web", backends("web")),
        pair.secret("cert"),
        ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]}),
    )
    expected = x509.load_pem_x509_certificate(pair.chain).not_valid_after_utc.timestamp()
    line = next(
        line
        for line in gateway.ask("/metrics").text.splitlines()
        if line.startswith("fastingress_certificate_expiry_timestamp_seconds{")
    )
    labels, _, value = line.rpartition(" ")
    assert 'namespace="default"' in labels
    assert 'secret="cert"' in labels
    assert float(value) == expected
