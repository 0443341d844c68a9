"""Finds the credentials: a kubeconfig that is named, the account of the pod, or a kubeconfig in the usual places.

Nothing here speaks to the server: it may be away when we start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fastingress.sources.cluster.account import FOLDER, Account
from fastingress.sources.cluster.identity import CredentialsError, IdentitySource
from fastingress.sources.cluster.kubeconfig import Kubeconfig
from fastingress.sources.cluster.transport import Connection

__all__ = ["CredentialsError", "connect", "own_namespace"]

_WITHOUT = "--manifests FOLDER serves without a cluster"


async def connect(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    account: Path = FOLDER,
) -> Connection:
    """A connection with the credentials that were found; the server is not asked.

    `account` is the folder in which a pod finds its account. Raises CredentialsError.
    """
    source = _source(kubeconfig, context, environ, account)
    return Connection(source, await source.load(force=False))


def own_namespace(connection: Connection, environ: Mapping[str, str] = os.environ) -> str:
    """Where we live: `$POD_NAMESPACE`, else that of the account or of the context, else `default`."""
    return environ.get("POD_NAMESPACE") or connection.namespace or "default"


def _source(kubeconfig: str | None, context: str | None, environ: Mapping[str, str], account: Path) -> IdentitySource:
    if kubeconfig:
        return Kubeconfig([Path(kubeconfig)], context, "--kubeconfig", environ)
    if not context and environ.get("KUBERNETES_SERVICE_HOST"):
        return Account(account, environ)
    named = [Path(path) for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if named:
        return Kubeconfig(named, context, "$KUBECONFIG", environ)
    usual = Path(environ.get("HOME") or Path.home()) / ".kube" / "config"
    if usual.exists():
        return Kubeconfig([usual], context, "kubeconfig", environ)
    if context:
        raise CredentialsError(
            f"--context: {context}: there is no kubeconfig to have it: "
            f"--kubeconfig and $KUBECONFIG are not set, and there is no {usual}"
        )
    raise CredentialsError(
        "no cluster to speak to: --kubeconfig and $KUBECONFIG are not set, "
        f"there is no {usual}, and this is no pod with an account ({account}); {_WITHOUT}"
    )
