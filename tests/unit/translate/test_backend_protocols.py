"""What is spoken to backends: annotations, the appProtocol of Services, and the Secrets that go with TLS."""

from __future__ import annotations

import base64
import textwrap

import pytest

from fastingress.model import Upstream, UpstreamTls
from fastingress.store import Dependency
from fastingress.translate import Delta
from fastingress.translate.annotations.reading import read
from tests.unit.translate.support import World, ingress, keys

PREFIXES = ("fastingress.io/", "nginx.ingress.kubernetes.io/")


def upstream(**annotations: str) -> Upstream:
    reading = read({f"fastingress.io/{key.replace('_', '-')}": value for key, value in annotations.items()}, PREFIXES)
    assert (reading.findings, reading.closed) == ((), False)
    return reading.upstream


def put(world: World, *documents: str) -> Delta:
    return world.put("\n---\n".join(textwrap.dedent(text) for text in documents if text))


def secret(namespace: str = "default", **data: bytes) -> str:
    entries = "".join(
        f"\n      {name.replace('_', '.')}: {base64.b64encode(text).decode()}" for name, text in data.items()
    )
    return f"""
    apiVersion: v1
    kind: Secret
    metadata: {{name: inner, namespace: {namespace}}}
    data: {entries or "{}"}
    """


def service(protocol: str | None = None) -> str:
    said = f", appProtocol: {protocol}" if protocol else ""
    return f"""
    apiVersion: v1
    kind: Service
    metadata: {{name: web, annotations: {{fastingress.io/endpoints: "127.0.0.1:9001"}}}}
    spec: {{ports: [{{port: 80{said}}}]}}
    """


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("HTTP", "http"),
        ("https", "https"),
        ("GRPC", "h2c"),
        ("Grpcs", "h2"),
        ("H2C", "h2c"),
        (" AUTO_HTTP ", "auto"),
    ],
)
def test_each_protocol_is_read_in_any_case(value: str, expected: str) -> None:
    assert upstream(backend_protocol=value).protocol == expected


@pytest.mark.parametrize(("value", "told"), [("FCGI", "FastCGI is not spoken"), ("HTTP2", "HTTP, HTTPS, GRPC")])
def test_a_protocol_that_is_not_spoken_is_a_problem_that_names_those_that_are(value: str, told: str) -> None:
    reading = read({"nginx.ingress.kubernetes.io/backend-protocol": value}, PREFIXES)
    assert reading.upstream == Upstream()
    (finding,) = reading.findings
    assert finding.code == "InvalidAnnotation"
    assert told in finding.message
    assert "AUTO_HTTP" in finding.message


def test_tls_to_backends_is_read_whole() -> None:
    assert upstream(
        proxy_ssl_secret="default/inner",
        proxy_ssl_verify="on",
        proxy_ssl_verify_depth="3",
        proxy_ssl_name="Inner.example.com",
        proxy_ssl_server_name="on",
        proxy_ssl_protocols="TLSv1.3",
        proxy_ssl_ciphers="TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES256-GCM-SHA384",
    ).tls == UpstreamTls(
        name="inner.example.com",
        send_name=True,
        verify=True,
        verify_depth=3,
        protocols=("TLSv1.3",),
        ciphers=("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        authority="default/inner",
        certificate="default/inner",
    )


def test_roots_count_only_when_something_is_verified() -> None:
    assert upstream(proxy_ssl_secret="default/inner").tls == UpstreamTls(certificate="default/inner")
    assert upstream(proxy_ssl_verify="on").tls == UpstreamTls(verify=True)
    assert upstream(proxy_ssl_ciphers="DEFAULT", proxy_ssl_protocols="TLSv1.3 TLSv1.2").tls == UpstreamTls()


def test_versions_that_are_too_old_are_left_out_and_told() -> None:
    reading = read({"fastingress.io/proxy-ssl-protocols": "TLSv1 TLSv1.1 TLSv1.2"}, PREFIXES)
    assert reading.upstream.tls == UpstreamTls(protocols=("TLSv1.2",))
    (finding,) = reading.findings
    assert (finding.code, finding.severity) == ("ApproximatedAnnotation", "warning")
    assert "TLSv1, TLSv1.1 is too old" in finding.message


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("proxy-ssl-ciphers", "HIGH:!aNULL", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("proxy-ssl-ciphers", "AES128-SHA", "TLS_CHACHA20_POLY1305_SHA256"),
        ("proxy-ssl-ciphers", ":", "names no cipher suite"),
        ("proxy-ssl-protocols", "TLSv1.1", "TLSv1.2, TLSv1.3"),
        ("proxy-ssl-protocols", "tls13", "TLSv1.2, TLSv1.3"),
        ("proxy-ssl-verify-depth", "101", "0 to 100"),
        ("proxy-ssl-verify-depth", "-1", "0 to 100"),
        ("proxy-ssl-server-name", "yes", "neither on nor off"),
    ],
)
def test_a_bad_value_names_what_is_possible_and_leaves_the_default(key: str, value: str, told: str) -> None:
    reading = read({f"fastingress.io/{key}": value}, PREFIXES)
    assert (reading.upstream, reading.closed) == (Upstream(), False)
    (finding,) = reading.findings
    assert finding.code == "InvalidAnnotation"
    assert told in finding.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("proxy-ssl-verify", "true"),
        ("proxy-ssl-name", "$host"),
        ("proxy-ssl-secret", "inner"),
        ("proxy-ssl-secret", "a/b/c"),
    ],
)
def test_a_bad_value_of_what_keeps_backends_genuine_closes_the_routes(key: str, value: str) -> None:
    reading = read({f"fastingress.io/{key}": value}, PREFIXES)
    assert reading.closed
    assert [finding.code for finding in reading.findings] == ["InvalidAnnotation"]


def test_a_secret_of_another_namespace_is_not_used_and_closes_the_routes() -> None:
    world = World()
    put(world, secret("other", ca_crt=b"roots"), ingress({"proxy-ssl-secret": "other/inner"}))
    assert world.codes() == ["ForeignSecret"]
    (route,) = world.fragment("shop.example.com").routes
    assert route.target.endpoints == ""
    assert Dependency("Secret", "other", "inner") not in world.translator.needs()


VERIFIED = {"proxy-ssl-secret": "default/inner", "proxy-ssl-verify": "on"}


def test_a_secret_becomes_an_authority_and_a_certificate_while_an_ingress_names_it() -> None:
    world = World()
    whole = secret(tls_crt=b"chain", tls_key=b"key", ca_crt=b"roots", ca_crl=b"lists")
    delta = put(world, whole, service(), ingress(VERIFIED))
    assert world.codes() == []
    authority = world.entry("authority", "default/inner")
    certificate = world.entry("certificate", "default/inner")
    assert (authority.roots, authority.revocations) == (b"roots", b"lists")
    assert (certificate.chain, certificate.key) == (b"chain", b"key")
    assert Dependency("Secret", "default", "inner") in delta.needed
    assert [ref.name for ref in world.translator.owners(("certificate", "default/inner"))] == ["shop"]
    assert [ref.name for ref in world.translator.owners(("authority", "default/inner"))] == ["shop"]
    delta = world.put(ingress())
    assert keys(delta.removals, "authority") == keys(delta.removals, "certificate") == ["default/inner"]


def test_a_secret_that_also_serves_a_host_stays_its_certificate() -> None:
    world = World()
    both = ingress({"proxy-ssl-secret": "default/inner"}).replace("spec:", "spec:\n  tls: [{secretName: inner}]")
    put(world, secret(tls_crt=b"chain", tls_key=b"key"), service(), both)
    assert world.codes() == []
    world.put(both.replace("fastingress.io/proxy-ssl-secret", "fastingress.io/x"))
    assert world.entry("certificate", "default/inner").chain == b"chain"


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        ("", ["MissingSecret", "MissingSecret"]),
        (secret(), ["InvalidSecret", "InvalidSecret"]),
        (secret(ca_crt=b"roots"), []),
        (secret(tls_crt=b"chain", tls_key=b"key"), ["InvalidSecret"]),
        (secret(ca_crt=b"roots", tls_crt=b"chain"), ["InvalidSecret"]),
    ],
)
def test_what_a_secret_lacks_is_told_to_who_names_it(found: str, codes: list[str]) -> None:
    world = World()
    put(world, found, service(), ingress(VERIFIED))
    assert world.codes() == codes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("http", "http"),
        ("https", "https"),
        ("kubernetes.io/h2c", "h2c"),
        ("kubernetes.io/ws", "http"),
        ("kubernetes.io/wss", "https"),
    ],
)
def test_the_app_protocol_of_a_port_goes_along_with_its_endpoints(said: str | None, expected: str | None) -> None:
    world = World()
    put(world, service(said), ingress())
    assert world.codes() == []
    assert world.entry("endpoints", "default/web:80").protocol == expected


def test_an_app_protocol_that_is_not_spoken_is_a_problem_of_the_service() -> None:
    world = World()
    put(world, service("mysql"), ingress())
    (problem,) = world.problems()
    assert (problem.code, problem.severity) == ("UnknownAppProtocol", "warning")
    assert problem.object is not None
    assert problem.object.kind == "Service"
    assert "kubernetes.io/h2c" in problem.message
    assert world.entry("endpoints", "default/web:80").protocol is None


def test_a_change_of_the_app_protocol_touches_no_ingress() -> None:
    world = World()
    put(world, service(), ingress())
    delta = put(world, service("https"))
    assert (delta.counts.ingresses, delta.counts.endpoint_sets) == (0, 1)
