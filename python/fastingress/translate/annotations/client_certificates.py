"""What a host asks of the certificates of its clients.

The host is the unit: a connection is made to one, before any path is known. Of several Ingresses of a host the oldest
that asks for certificates decides. What cannot be read keeps everyone out of the host.
"""

from __future__ import annotations

import re

from fastingress.model import ClientAuth, VerifyClient
from fastingress.translate.annotations.declare import Annotation, Draft, Family, ValueType
from fastingress.translate.annotations.secrets import SECRET
from fastingress.translate.annotations.values import BOOLEAN, URL, one_of, plain_text
from fastingress.translate.findings import error

NO_AUTHORITY = ""
"""The key of no authority: nobody is let in."""

BAD_VALUE = "its hosts answer every client 400 until it is mended, but for redirects to https"
"""What comes of a value that cannot be read, beside an authority."""

_DEEPEST = 255
_LONGEST_PATTERN = 1024
_VERIFY: dict[str, VerifyClient] = {"on": "on", "optional": "optional", "optional_no_ca": "optional_no_ca"}


def _depth(text: str) -> int:
    word = text.strip()
    if not (word.isascii() and word.isdecimal() and len(word) <= 3) or int(word) > _DEEPEST:
        raise ValueError(f"is not a whole number from 0 to {_DEEPEST}")
    return int(word)


def _pattern(text: str) -> str:
    pattern = plain_text(text.strip())
    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"is longer than {_LONGEST_PATTERN} characters")
    if not pattern.removeprefix("^").startswith("CN="):
        raise ValueError("does not begin with CN=")
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"is not a regular expression: {fault}") from None
    return pattern


AUTHORITY = Annotation(
    "auth-tls-secret",
    SECRET,
    "The Secret with the authorities of clients' certificates in `ca.crt`, and their revocation lists in `ca.crl`.",
    scope="host",
    risk="medium",
    fails="closed",
)
VERIFY = Annotation(
    "auth-tls-verify-client",
    one_of("on", "off", "optional", "optional_no_ca"),
    "Whether a certificate is required (`on`), verified if there is one (`optional`), or only told of "
    "(`optional_no_ca`). Without one that it requires, a request is answered 400.",
    default="on",
    scope="host",
    risk="medium",
    fails="closed",
)
DEPTH = Annotation(
    "auth-tls-verify-depth",
    ValueType("number", "2", _depth),
    "How many certificates there may be between that of the client and an authority's.",
    default="1",
    scope="host",
    fails="closed",
)
MATCH_CN = Annotation(
    "auth-tls-match-cn",
    ValueType("regular expression", "CN=(alice|bob)", _pattern),
    "What has to be found in the subject of the certificate; else the answer is 403.",
    default="every subject",
    scope="host",
    risk="high",
)
ERROR_PAGE = Annotation(
    "auth-tls-error-page",
    URL,
    "Where clients are redirected (302) whose certificate is missing or bad, in place of the 400.",
    scope="host",
    risk="high",
    fails="default",
)
PASS = Annotation(
    "auth-tls-pass-certificate-to-upstream",
    BOOLEAN,
    "Pass the certificate on in the header `ssl-client-cert`, as escaped PEM.",
    default="false",
    scope="host",
)


def _combine(draft: Draft) -> None:
    values = draft.values
    if AUTHORITY.name in draft.failed or (values.get(AUTHORITY) is not None and draft.failed & _CLOSING):
        draft.client_auth = ClientAuth(NO_AUTHORITY)
        return
    authority = values.get(AUTHORITY)
    if authority is None and any(values.get(annotation) is not None for annotation in (VERIFY, DEPTH, MATCH_CN)):
        message = "annotations auth-tls-*: have no effect without auth-tls-secret; no client is asked for a certificate"
        draft.findings.append(error("IncompleteAnnotation", message))
        return
    verify = _VERIFY.get(values.get(VERIFY) or "on")
    if authority is None or verify is None:
        return
    depth = values.get(DEPTH)
    draft.client_auth = ClientAuth(
        authority,
        verify=verify,
        depth=1 if depth is None else depth,
        match_cn=values.get(MATCH_CN),
        error_page=values.get(ERROR_PAGE),
        pass_certificate=bool(values.get(PASS)),
    )


FAMILY = Family("Clients' certificates", (AUTHORITY, VERIFY, DEPTH, MATCH_CN, ERROR_PAGE, PASS), _combine)
_CLOSING = {annotation.name for annotation in FAMILY.annotations if annotation.fails_closed}
