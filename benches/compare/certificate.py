"""The certificate of all peers: ECDSA P-256, made for the run."""

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


def issue(name: str) -> Pair:
    """A certificate without a chain behind it."""
    leaf = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert(name, key_type=trustme.KeyType.ECDSA)
    return Pair(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
