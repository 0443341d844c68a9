"""The account of a pod: its token is replaced while we run, and sometimes its authority too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastingress.sources.cluster.identity import CredentialsError, Identity, Loaded, checked

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
AGAIN = 60.0
"""Seconds after which the files are read again; a token is replaced long before it expires."""


class Account:
    """The identity of the service account that the pod runs as."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, again: float = AGAIN) -> None:
        self._folder = folder
        self._environ = environ
        self._again = again

    async def load(self, *, force: bool) -> Loaded:
        """What the files say now. Raises CredentialsError."""
        identity = Identity(
            server=self._server(),
            authorization=f"Bearer {self._read('token')}",
            ca=self._read("ca.crt"),
            namespace=self._namespace(),
        )
        return Loaded(checked(identity, str(self._folder)), self._again)

    def _server(self) -> str:
        host = self._environ.get("KUBERNETES_SERVICE_HOST", "")
        port = self._environ.get("KUBERNETES_SERVICE_PORT") or "443"
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def _read(self, name: str) -> str:
        path = self._folder / name
        try:
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise CredentialsError(
                f"{path}: not there: the pod has no account (automountServiceAccountToken: false?), "
                "and --kubeconfig is not set"
            ) from None
        except (OSError, UnicodeError) as error:
            raise CredentialsError(f"{path}: cannot be read: {error}") from None
        if not text:
            raise CredentialsError(f"{path}: it is empty")
        return text

    def _namespace(self) -> str:
        """Not all accounts that are put in place by hand have it."""
        try:
            return (self._folder / "namespace").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            return ""
