"""Who we are to an API server, and where it is: all that a connection needs, as plain data.

Where it comes from is in `credentials` and `kubeconfig`; what is done with it is in `transport`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol


class CredentialsError(Exception):
    """There is no way to speak to a cluster. The message begins with the flag, or says what was looked for."""


@dataclass(frozen=True)
class Identity:
    """Where the server is, how its name is verified, and how we show who we are."""

    server: str
    """`https://HOST:PORT`, perhaps with a path, without a slash at its end."""
    authorization: str = field(default="", repr=False)
    """The value of the header, or nothing."""
    ca: str = field(default="", repr=False)
    """PEM; empty for the authorities of the system."""
    certificate: str = ""
    """The file of the client certificate, if there is one."""
    key: str = ""
    """The file of its key."""
    certificate_digest: str = ""
    """Differs when the content of these two files does."""
    verify: bool = True
    server_name: str = ""
    """The name in the server's certificate, if it is not the host's."""
    proxy: str = ""
    namespace: str = ""
    """Of the account or of the context; empty when none is named."""

    def same_wire(self, other: Identity) -> bool:
        """Connections that were made with the one do for the other; only the header may differ."""
        return replace(self, authorization="", namespace="") == replace(other, authorization="", namespace="")


class Loaded(NamedTuple):
    """An identity, and for how many seconds it need not be looked at again."""

    identity: Identity
    seconds: float


class IdentitySource(Protocol):
    """Gives the identity as it is now."""

    async def load(self, *, force: bool) -> Loaded:
        """`force`: the server refused the last one, so nothing that was kept will do.

        Raises CredentialsError.
        """
        ...


def checked(identity: Identity, names: str) -> Identity:
    """The identity, if its certificates can be used. `names` are what the message begins with.

    Raises CredentialsError.
    """
    try:
        trusted = ssl.create_default_context(cadata=identity.ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsError(f"{names}: the certificate authority is not PEM: {error}") from None
    try:
        if identity.certificate:
            trusted.load_cert_chain(identity.certificate, identity.key or None)
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{names}: the client certificate or its key cannot be used: {error}") from None
    return identity
