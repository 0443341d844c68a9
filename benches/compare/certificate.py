"""The certificate of all peers, made for the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Pair:
    """PEM."""

    chain: bytes
    key: bytes

    def write(self, folder: Path) -> Path:
        """Both in one file, the certificate first, as nginx and HAProxy take it."""
        path = folder / "pair.pem"
        path.write_bytes(self.chain + self.key)
        return path


def issue(name: str, *, rsa: bool = False) -> Pair:
    """A certificate without a chain behind it: ECDSA P-256, or RSA 2048."""
    kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
    leaf = trustme.CA(key_type=kind).issue_cert(name, key_type=kind)
    return Pair(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
