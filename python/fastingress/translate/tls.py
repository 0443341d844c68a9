"""Which certificate an Ingress names for a host."""

from __future__ import annotations

from fastingress.objects import Ingress


class HostCertificates:
    """The `spec.tls` of an Ingress, by host.

    An entry counts for the hosts that it lists; a wildcard among them also for the names it covers; an entry that lists
    none counts for every host of the rules that no other entry lists. An entry without a Secret means the certificate
    `fallback`, or none when that is empty.
    """

    def __init__(self, ingress: Ingress, fallback: str) -> None:
        self._by_host: dict[str, str] = {}
        self._other: str | None = None
        for entry in ingress.spec.tls:
            secret = f"{ingress.metadata.namespace}/{entry.secret_name}" if entry.secret_name else fallback
            if not entry.hosts and self._other is None:
                self._other = secret
            for host in entry.hosts:
                self._by_host.setdefault(host.lower(), secret)

    def hosts(self) -> list[str]:
        """Those that are listed and have a certificate."""
        return [host for host, secret in self._by_host.items() if secret]

    def of(self, host: str) -> str | None:
        """`namespace/secret` for a host, or None."""
        if not host:
            return None
        secret = self._by_host.get(host)
        if secret is None:
            _, dot, parent = host.partition(".")
            secret = self._by_host.get(f"*.{parent}") if dot else None
        if secret is None:
            secret = self._other
        return secret or None
