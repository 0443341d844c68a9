"""Certificates for tests, from a CA that lives as long as the test run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.manifests import Manifest, secret


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, PEM."""

    chain: bytes
    key: bytes
    serial: int

    def secret(self, name: str, *, namespace: str = "default") -> Manifest:
        """The pair as a TLS Secret."""
        return secret(name, self.chain, self.key, namespace=namespace)


class Authority:
    """Issues certificates and makes client contexts that trust them."""

    def __init__(self) -> None:
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)

    def issue(self, *names: str, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> Pair:
        """A certificate for these host names; wildcards are allowed."""
        leaf = self._ca.issue_cert(*names, key_type=key_type)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return Pair(chain, leaf.private_key_pem.bytes(), serial_of(leaf.cert_chain_pems[0].bytes()))

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._ca.cert_pem.bytes()

    def trusting(self, *, at_most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client context that verifies against this CA and speaks HTTP/1.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        context.set_alpn_protocols(["http/1.1"])
        if at_most is not None:
            context.maximum_version = at_most
        return context


def blind() -> ssl.SSLContext:
    """A client context that takes any certificate: for looking at which one is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def self_signed_ed25519(name: str) -> Pair:
    """A certificate with an Ed25519 key, which the CA here does not issue."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, None)
    )
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(made.public_bytes(Encoding.PEM), encoded, made.serial_number)


def serial_of(pem_or_der: bytes) -> int:
    """The serial number of a certificate: how tests tell two certificates of one name apart."""
    if pem_or_der.startswith(b"-----"):
        return x509.load_pem_x509_certificate(pem_or_der).serial_number
    return x509.load_der_x509_certificate(pem_or_der).serial_number


def common_name(der: bytes) -> str:
    """The subject's common name; empty when it has none."""
    names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
