"""The keys of ingress-nginx that are not supported here, and what that means for an Ingress that has one.

Each is known by name so that its owner is told "not supported yet" and not "no such thing". A value that asks for what
happens anyway is no problem. Some keys keep someone out, or keep an Ingress from being served beside another: to ignore
those would open what was closed, so the Ingress is closed or left out instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["ignored", "closed", "left out"]


@dataclass(frozen=True)
class Unsupported:
    """A key of ingress-nginx that is not read."""

    name: str
    same_as_without: tuple[str, ...] = ()
    """Values, in lower case, that ask for nothing beyond what happens without the key."""
    effect: Effect = "ignored"
    """`closed`: the routes answer 503. `left out`: the Ingress is not served at all."""
    hint: str = ""


_IGNORED: dict[str, tuple[str, ...]] = {
    "affinity": (),
    "affinity-canary-behavior": ("sticky",),
    "affinity-mode": ("balanced",),
    "auth-always-set-cookie": ("false",),
    "auth-cache-duration": (),
    "auth-cache-key": (),
    "auth-keepalive": ("0",),
    "auth-keepalive-requests": (),
    "auth-keepalive-share-vars": ("false",),
    "auth-keepalive-timeout": (),
    "auth-method": (),
    "auth-proxy-set-headers": (),
    "auth-realm": (),
    "auth-request-redirect": (),
    "auth-response-headers": (),
    "auth-secret": (),
    "auth-secret-type": (),
    "auth-signin": (),
    "auth-signin-redirect-param": (),
    "auth-snippet": (),
    "canary-by-cookie": (),
    "canary-by-header": (),
    "canary-by-header-pattern": (),
    "canary-by-header-value": (),
    "canary-weight": (),
    "canary-weight-total": (),
    "client-body-buffer-size": (),
    "configuration-snippet": (),
    "connection-proxy-header": (),
    "cors-allow-credentials": (),
    "cors-allow-headers": (),
    "cors-allow-methods": (),
    "cors-allow-origin": (),
    "cors-expose-headers": (),
    "cors-max-age": (),
    "custom-headers": (),
    "custom-http-errors": (),
    "default-backend": (),
    "disable-proxy-intercept-errors": ("false", "true"),
    "enable-cors": ("false",),
    "enable-global-auth": ("true", "false"),
    "enable-modsecurity": ("false",),
    "enable-opentelemetry": ("false",),
    "enable-owasp-core-rules": ("false",),
    "enable-rewrite-log": ("false",),
    "fastcgi-index": (),
    "fastcgi-params-configmap": (),
    "http2-push-preload": ("false",),
    "limit-allowlist": (),
    "limit-burst-multiplier": (),
    "limit-connections": ("0",),
    "limit-rate": ("0",),
    "limit-rate-after": ("0",),
    "limit-rpm": ("0",),
    "limit-rps": ("0",),
    "limit-whitelist": (),
    "mirror-host": (),
    "mirror-request-body": (),
    "mirror-target": (),
    "modsecurity-snippet": (),
    "modsecurity-transaction-id": (),
    "opentelemetry-operation-name": (),
    "opentelemetry-trust-incoming-span": (),
    "preserve-trailing-slash": ("false",),
    "proxy-buffer-size": (),
    "proxy-buffering": ("off",),
    "proxy-buffers-number": (),
    "proxy-busy-buffers-size": (),
    "proxy-cookie-domain": ("off",),
    "proxy-cookie-path": ("off",),
    "proxy-http-version": ("1.1",),
    "proxy-max-temp-file-size": (),
    "proxy-next-upstream": ("error timeout",),
    "proxy-next-upstream-timeout": ("0",),
    "proxy-next-upstream-tries": ("3",),
    "proxy-redirect-from": ("off",),
    "proxy-redirect-to": ("off",),
    "proxy-request-buffering": ("off",),
    "relative-redirects": ("false",),
    "satisfy": ("all",),
    "server-snippet": (),
    "session-cookie-change-on-failure": ("false",),
    "session-cookie-conditional-samesite-none": ("false",),
    "session-cookie-domain": (),
    "session-cookie-expires": (),
    "session-cookie-max-age": (),
    "session-cookie-name": (),
    "session-cookie-path": (),
    "session-cookie-samesite": (),
    "session-cookie-secure": (),
    "ssl-ciphers": (),
    "ssl-prefer-server-ciphers": (),
    "stream-snippet": (),
    "upstream-hash-by": (),
    "upstream-hash-by-subset": ("false",),
    "upstream-hash-by-subset-size": (),
    "use-port-in-redirects": ("false",),
}
_CLOSED: dict[str, tuple[str, ...]] = {
    "auth-type": (),
    "auth-url": (),
}
_LEFT_OUT: dict[str, tuple[str, ...]] = {"canary": ("false",)}
_REMOVED = {
    "base-url-scheme": "",
    "add-base-url": "",
    "enable-influxdb": "",
    "enable-opentracing": "enable-opentelemetry",
    "global-rate-limit": "",
    "global-rate-limit-ignored-cidrs": "",
    "global-rate-limit-key": "",
    "global-rate-limit-window": "",
    "grpc-backend": "backend-protocol",
    "opentracing-trust-incoming-span": "opentelemetry-trust-incoming-span",
    "secure-backends": "backend-protocol",
    "secure-verify-ca-secret": "proxy-ssl-secret",
    "session-cookie-hash": "",
}


def _removed(name: str, successor: str) -> Unsupported:
    hint = f"ingress-nginx has removed it as well; its successor is {successor}" if successor else ""
    return Unsupported(name, hint=hint or "ingress-nginx has removed it as well")


UNSUPPORTED: dict[str, Unsupported] = {
    **{name: Unsupported(name, values) for name, values in _IGNORED.items()},
    **{name: Unsupported(name, values, "closed") for name, values in _CLOSED.items()},
    **{name: Unsupported(name, values, "left out") for name, values in _LEFT_OUT.items()},
    **{name: _removed(name, successor) for name, successor in _REMOVED.items()},
}
