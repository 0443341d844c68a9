"""Authorities of clients' certificates, the certificates they issue, and their revocation lists."""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.manifests import Manifest

DAY = timedelta(days=1)


def _name(common_name: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Client:
    """A client's certificate, those of its issuers behind it but for the root's, and its key."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    def write(self, path: Path) -> Path:
        """Chain and key as one PEM file."""
        chain = b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.issuers))
        path.write_bytes(chain + self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path

    def show_in(self, context: ssl.SSLContext, folder: Path) -> ssl.SSLContext:
        """The context, which shows this certificate from now on."""
        context.load_cert_chain(self.write(folder / f"client-{self.certificate.serial_number}.pem"))
        return context

    @property
    def pem(self) -> str:
        """The client's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


class ClientAuthority:
    """Issues clients' certificates, itself or through others that it issued."""

    def __init__(self, name: str = "Clients", parent: ClientAuthority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._parent = parent
        self.name = name
        signer = parent or self
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder(_name(parent.name if parent else name), _name(name), self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        self.certificate = builder.sign(signer._key, hashes.SHA256())

    def sub(self, name: str) -> ClientAuthority:
        """An authority that this one issued."""
        return ClientAuthority(name, self)

    def issue(
        self,
        common_name: str,
        *,
        organisation: str = "",
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> Client:
        """A client's certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder(_name(self.name), _name(common_name, organisation), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Client(certificate, self._links(), key)

    def revoke(self, *clients: Client, lasts: timedelta = DAY) -> bytes:
        """A revocation list with these, PEM."""
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.name))
            .last_update(now - 2 * DAY)
            .next_update(now + lasts)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for client in clients:
            revoked = x509.RevokedCertificateBuilder(client.certificate.serial_number, now - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def secret(self, name: str, *, revocations: bytes = b"", namespace: str = "default") -> Manifest:
        """Itself as the Secret that `auth-tls-secret` names."""
        data = {"ca.crt": self.pem, **({"ca.crl": revocations} if revocations else {})}
        return authority_secret(name, data, namespace=namespace)

    def _links(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate, *self._parent._links()) if self._parent else ()


def authority_secret(name: str, data: dict[str, bytes], *, namespace: str = "default") -> Manifest:
    """A Secret with these entries."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: b64encode(value).decode() for key, value in data.items()},
    }
