"""The cipher suites there are, by the names that people give them, and the versions of TLS."""

from __future__ import annotations

import re

from fastingress.translate.annotations.declare import ValueType

_TLS13 = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
_OF_OPENSSL = {
    f"ECDHE-{key}-{openssl}": f"TLS_ECDHE_{key}_WITH_{name}"
    for key in ("ECDSA", "RSA")
    for openssl, name in (
        ("AES256-GCM-SHA384", "AES_256_GCM_SHA384"),
        ("AES128-GCM-SHA256", "AES_128_GCM_SHA256"),
        ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"),
    )
}
SUITES: dict[str, str] = {
    **_OF_OPENSSL,
    **{name: name for name in _OF_OPENSSL.values()},
    **{name: name for name in _TLS13},
}
"""Names of OpenSSL and of the registry, to the latter."""
_OLD_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
VERSIONS = ("TLSv1.2", "TLSv1.3")
_SEPARATORS = re.compile(r"[:,\s]+")


def _suites(text: str) -> tuple[str, ...]:
    """Names of the registry; empty for all."""
    words = [word for word in _SEPARATORS.split(text) if word]
    if [word.upper() for word in words] == ["DEFAULT"]:
        return ()
    for word in words:
        if word not in SUITES:
            raise ValueError(f"{word!r} is none of the cipher suites there are: {', '.join([*_OF_OPENSSL, *_TLS13])}")
    if not words:
        raise ValueError("names no cipher suite")
    return tuple(dict.fromkeys(SUITES[word] for word in words))


def _versions(text: str) -> tuple[str, ...]:
    """The versions as they are written, old ones included; at least one that is spoken."""
    words = [word for word in _SEPARATORS.split(text) if word]
    for word in words:
        if word not in VERSIONS and word not in _OLD_VERSIONS:
            raise ValueError(f"{word!r} is none of {', '.join(VERSIONS)}")
    if not set(words) & set(VERSIONS):
        raise ValueError(f"names none of {', '.join(VERSIONS)}, and older ones are not spoken")
    return tuple(dict.fromkeys(words))


CIPHERS = ValueType("cipher suites", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", _suites)
TLS_VERSIONS = ValueType("versions of TLS", "TLSv1.2 TLSv1.3", _versions)
