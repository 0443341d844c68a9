"""TLS towards backends: where `backend-protocol` or an `appProtocol` asks for it."""

from __future__ import annotations

from fastingress.model import UpstreamTls
from fastingress.translate.annotations.ciphers import CIPHERS, TLS_VERSIONS, VERSIONS
from fastingress.translate.annotations.declare import Annotation, Draft, Family, ValueType
from fastingress.translate.annotations.secrets import SECRET
from fastingress.translate.annotations.values import host_name
from fastingress.translate.findings import warning

_DEEPEST = 100


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("on", "off"):
        raise ValueError("is neither on nor off")
    return word == "on"


def _depth(text: str) -> int:
    word = text.strip()
    if not (word.isascii() and word.isdecimal() and len(word) <= 3) or int(word) > _DEEPEST:
        raise ValueError(f"is not a whole number from 0 to {_DEEPEST}")
    return int(word)


SWITCH = ValueType("`on` or `off`", "on", _switch)
DEPTH = ValueType("number", "2", _depth)

PROXY_SSL_SECRET = Annotation(
    "proxy-ssl-secret",
    SECRET,
    "A Secret of the Ingress's own namespace: the certificate to show (`tls.crt`, `tls.key`), the roots to verify "
    "against (`ca.crt`), what they have revoked (`ca.crl`).",
    scope="path",
    risk="high",
)
PROXY_SSL_VERIFY = Annotation(
    "proxy-ssl-verify",
    SWITCH,
    "Verify the certificate of endpoints: against `ca.crt` of `proxy-ssl-secret`, or without one against the "
    "well-known roots.",
    default="off",
    scope="path",
    risk="high",
)
PROXY_SSL_VERIFY_DEPTH = Annotation(
    "proxy-ssl-verify-depth",
    DEPTH,
    "The most certificates between that of an endpoint and a root.",
    default="1",
    scope="path",
)
PROXY_SSL_NAME = Annotation(
    "proxy-ssl-name",
    ValueType("host name", "inner.example.com", host_name),
    "The name that the certificate of endpoints must have, and that is sent to them.",
    default="the host that the request is sent for",
    scope="path",
    risk="high",
)
PROXY_SSL_SERVER_NAME = Annotation(
    "proxy-ssl-server-name", SWITCH, "Send the name to endpoints (SNI).", default="off", scope="path"
)
PROXY_SSL_PROTOCOLS = Annotation(
    "proxy-ssl-protocols",
    TLS_VERSIONS,
    "The versions of TLS that are spoken to endpoints.",
    default="TLSv1.2 TLSv1.3",
    scope="path",
)
PROXY_SSL_CIPHERS = Annotation(
    "proxy-ssl-ciphers",
    CIPHERS,
    "The cipher suites that are offered to endpoints, by name; for a version of TLS of which none is named, all.",
    default="DEFAULT, which is all",
    scope="path",
)


def _combine(draft: Draft) -> None:
    """The fields of `UpstreamTls`. Whose Secret it may be is for those to say who know the Ingress."""
    values = draft.values
    secret = values.get(PROXY_SSL_SECRET)
    verify = values.get(PROXY_SSL_VERIFY) or False
    depth = values.get(PROXY_SSL_VERIFY_DEPTH)
    draft.upstream["tls"] = UpstreamTls(
        name=values.get(PROXY_SSL_NAME),
        send_name=values.get(PROXY_SSL_SERVER_NAME) or False,
        verify=verify,
        verify_depth=1 if depth is None else depth,
        protocols=_spoken(draft),
        ciphers=values.get(PROXY_SSL_CIPHERS) or (),
        authority=secret if verify else None,
        certificate=secret,
    )


def _spoken(draft: Draft) -> tuple[str, ...]:
    """Those of the versions asked for that there are; empty for all."""
    asked = draft.values.get(PROXY_SSL_PROTOCOLS) or ()
    old = [word for word in asked if word not in VERSIONS]
    if old:
        message = f"annotation {PROXY_SSL_PROTOCOLS.name}: {', '.join(old)} is too old to be spoken here"
        draft.findings.append(warning("ApproximatedAnnotation", message))
    spoken = tuple(word for word in VERSIONS if word in asked)
    return () if spoken == VERSIONS else spoken


FAMILY = Family(
    "TLS to backends",
    (
        PROXY_SSL_SECRET,
        PROXY_SSL_VERIFY,
        PROXY_SSL_VERIFY_DEPTH,
        PROXY_SSL_NAME,
        PROXY_SSL_SERVER_NAME,
        PROXY_SSL_PROTOCOLS,
        PROXY_SSL_CIPHERS,
    ),
    _combine,
)
