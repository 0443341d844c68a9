"""Where the TLS connections of a host go that are not terminated: to the backend of its path `/`."""

from __future__ import annotations

import msgspec

from fastingress.model import Fragment, Target
from fastingress.translate.findings import Finding, error
from fastingress.translate.options import Options

_ROOTS = ("/", "")


def passing(fragments: dict[str, Fragment], options: Options) -> tuple[dict[str, Fragment], list[Finding]]:
    """The fragments of an Ingress that asks for pass-through, by host, each with its target as far as it has one."""
    if not options.ssl_passthrough:
        message = "annotation ssl-passthrough: has no effect without --enable-ssl-passthrough; TLS is terminated"
        return fragments, [error("PassthroughDisabled", message)]
    findings: list[Finding] = []
    passed = {host: _passed(fragment, findings) for host, fragment in fragments.items()}
    return passed, findings


def _passed(fragment: Fragment, findings: list[Finding]) -> Fragment:
    if fragment.policy.redirect_host is not None or not (fragment.routes or fragment.default_backend):
        # Its name only redirects, or only has a certificate.
        return fragment
    target = _root(fragment)
    if not fragment.host:
        message = "annotation ssl-passthrough: a rule without a host has no server name to go by; TLS is terminated"
    elif target is None:
        message = (
            f"annotation ssl-passthrough: {fragment.host} has no rule for the path /, whose backend would take its "
            "connections; TLS is terminated"
        )
    elif _is_guarded(fragment):
        message = (
            f"annotation ssl-passthrough: what guards {fragment.host} (auth-tls-*, source ranges) cannot be applied to "
            "connections that are not opened; TLS is terminated, so that it is"
        )
    else:
        return msgspec.structs.replace(fragment, passthrough=target)
    findings.append(error("NoPassthroughTarget", message))
    return fragment


def _is_guarded(fragment: Fragment) -> bool:
    return fragment.client_auth is not None or bool(fragment.policy.allow or fragment.policy.deny)


def _root(fragment: Fragment) -> Target | None:
    roots = [route.target for route in fragment.routes if route.path in _ROOTS]
    target = roots[0] if roots else fragment.default_backend
    return target if target is not None and target.endpoints else None
