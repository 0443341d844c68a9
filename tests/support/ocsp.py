"""An authority whose certificates name an OCSP responder, and that responder."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests.support.certificates import Pair

DAY = timedelta(days=1)


class Issuer:
    """An authority that says how its certificates stand."""

    def __init__(self, name: str = "Issuer") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(timezone.utc)
        self._certificate = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 90 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, host: str, *, responder: str | None = None) -> Pair:
        """A certificate with that of the issuer behind it."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder(self._name, x509.Name([]), key.public_key(), x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 60 * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        )
        if responder is not None:
            place = x509.UniformResourceIdentifier(responder)
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        chain = made.public_bytes(Encoding.PEM) + self._certificate.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(chain, private, made.serial_number)

    def answer(
        self,
        pair: Pair,
        *,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        since: timedelta = -DAY,
        until: timedelta = DAY,
        signer: Issuer | None = None,
    ) -> bytes:
        """How a certificate stands, in DER."""
        now = datetime.now(timezone.utc)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=x509.load_pem_x509_certificates(pair.chain)[0],
            issuer=self._certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=now + since,
            next_update=now + until,
            revocation_time=now - DAY if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        by = signer or self
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by._certificate)
        return builder.sign(by._key, hashes.SHA256()).public_bytes(Encoding.DER)


class Responder:
    """Listens on a free port of 127.0.0.1 from its making to `close`, and answers with what `answers` has by serial."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}
        self.asked: list[int] = []
        responder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ocsp.load_der_ocsp_request(self.rfile.read(int(self.headers["Content-Length"])))
                responder.asked.append(request.serial_number)
                body = responder.answers.get(request.serial_number, b"")
                self.send_response(200 if body else 500)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/status"

    def close(self) -> None:
        """Stops it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
