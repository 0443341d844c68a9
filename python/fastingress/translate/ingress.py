"""One Ingress to its fragments: the rules of each host, with certificate and policies.

It says which endpoint sets, certificates and authorities it refers to, and does not look at them: a Service or a Secret
that changes is no reason to come back here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from hashlib import blake2b

import msgspec
from msgspec import Struct

from fastingress.model import ClientAuth, Fragment, IngressRef, Key, Policy, Route, Target, Upstream, encode
from fastingress.objects import Ingress, IngressBackend
from fastingress.store import View
from fastingress.translate.annotations.alias import SERVER_ALIAS
from fastingress.translate.annotations.backend_tls import PROXY_SSL_SECRET
from fastingress.translate.annotations.client_certificates import AUTHORITY, NO_AUTHORITY
from fastingress.translate.annotations.passthrough import SSL_PASSTHROUGH
from fastingress.translate.annotations.reading import Reading, read
from fastingress.translate.annotations.redirects import FROM_TO_WWW
from fastingress.translate.annotations.rewrites import USE_REGEX
from fastingress.translate.annotations.secrets import foreign
from fastingress.translate.annotations.service_upstream import SERVICE_UPSTREAM
from fastingress.translate.backends import endpoints_key
from fastingress.translate.classes import Verdict, judge
from fastingress.translate.findings import Finding, error
from fastingress.translate.options import Options
from fastingress.translate.parameters import class_scope
from fastingress.translate.passthrough import passing
from fastingress.translate.paths import path_and_kind, turns_host_into_regex, uses_regex
from fastingress.translate.settings import PROCESS
from fastingress.translate.tls import HostCertificates
from fastingress.translate.twins import twin_of
from fastingress.translate.units import IDENTITY

_MAX_INDEX = (1 << 16) - 1
_DEFAULT_UPSTREAM = Upstream()


class IngressResult(Struct, frozen=True, gc=False):
    """What comes of one Ingress."""

    fragments: dict[str, Fragment] = {}
    """By host."""
    upstreams: dict[str, bytes] = {}
    """By key, encoded."""
    refers: frozenset[Key] = frozenset()
    """The shared units it refers to."""
    findings: tuple[Finding, ...] = ()
    ours: bool = False


def translate_ingress(view: View, ingress: Ingress, options: Options) -> IngressResult:
    """The fragments of an Ingress; none when it is not ours. Reads of the view only what decides the class."""
    verdict = judge(view, ingress, options)
    if not verdict.ours:
        return IngressResult(findings=verdict.findings)
    annotations = ingress.metadata.annotations
    reading = read(annotations, options.annotation_prefixes)
    if reading.left_out:
        return IngressResult(findings=verdict.findings + reading.findings, ours=True)
    outsider = foreign(PROXY_SSL_SECRET, reading.values.get(PROXY_SSL_SECRET), ingress.metadata.namespace)
    if outsider is not None and not options.allow_cross_namespace_resources:
        reading = msgspec.structs.replace(reading, closed=True, findings=(*reading.findings, outsider))
    return _Work(ingress, reading, options, verdict, _age(view, ingress)).result()


def _age(view: View, ingress: Ingress) -> str:
    """One that is going, or whose namespace is, counts as younger than any other: it may take seconds to be gone, and
    its successor has the same hosts and paths."""
    space = view.get("Namespace", "", ingress.metadata.namespace)
    leaving = ingress.is_leaving or (space is not None and space.is_leaving)
    return f"2{ingress.age}" if leaving else ingress.age


class _Work:
    """The translation of one Ingress, while it lasts."""

    def __init__(self, ingress: Ingress, reading: Reading, options: Options, verdict: Verdict, age: str) -> None:
        self._ingress = ingress
        self._reading = reading
        self._verdict = verdict
        self._age = age
        self._scope = class_scope(verdict.class_name) if verdict.class_name else PROCESS
        by_annotation = reading.values.get(SERVICE_UPSTREAM)
        self._cluster_ip = options.service_upstream if by_annotation is None else by_annotation
        self._compat = options.compat
        self._options = options
        self._namespace = ingress.metadata.namespace
        self._policy = _policy(reading, options)
        self._use_regex = reading.values.get(USE_REGEX) or False
        self._certificates = HostCertificates(ingress, options.default_ssl_certificate)
        self._refers: set[Key] = {("class", verdict.class_name)} if verdict.class_name else set()
        self._findings: list[Finding] = []
        self._upstreams: dict[str, bytes] = {}
        self._targets: dict[IngressBackend, Target] = {}
        self._client_auth = self._asked(options)
        self._upstream = self._upstream_key()

    def result(self) -> IngressResult:
        fragments = {fragment.host: fragment for fragment in self._fragments()}
        if self._reading.values.get(SSL_PASSTHROUGH) and not self._reading.closed:
            fragments, found = passing(fragments, self._options)
            self._findings.extend(found)
        for fragment in fragments.values():
            if fragment.certificate:
                self._refers.add(("certificate", fragment.certificate))
            if fragment.client_auth and fragment.client_auth.authority:
                self._refers.add(("authority", fragment.client_auth.authority))
        findings = (*self._verdict.findings, *self._reading.findings, *self._findings)
        return IngressResult(fragments, self._upstreams, frozenset(self._refers), findings, ours=True)

    def _fragments(self) -> Iterator[Fragment]:
        """Of the rules, then of hosts that have a certificate and no rules, then of other names. No host twice."""
        rules = self._routes_by_host()
        spec = self._ingress.spec
        default = self._default(spec.default_backend) if spec.default_backend else None
        if default is not None and not rules:
            yield self._fragment("", (), default)
        for host, routes in rules.items():
            yield self._fragment(host, tuple(routes), default)
        weak = {} if self._reading.closed else self._other_names(rules, default)
        yield from weak.values()
        for host in self._certificates.hosts():
            if host not in rules and host not in weak:
                yield self._fragment(host, (), None)

    def _routes_by_host(self) -> dict[str, list[Route]]:
        regex = uses_regex(self._use_regex, self._policy.rewrite)
        hosts: dict[str, list[Route]] = {}
        for i, rule in enumerate(self._ingress.spec.rules):
            routes = hosts.setdefault(rule.host.lower(), [])
            for j, item in enumerate(rule.http.paths if rule.http else ()):
                path, kind = path_and_kind(item, regex, self._compat)
                backend = item.backend
                target = self._target(backend) or self._unsupported(backend, f"spec.rules[{i}].http.paths[{j}].backend")
                routes.append(Route(path, kind, (min(i, _MAX_INDEX), min(j, _MAX_INDEX)), target))
        return hosts

    def _fragment(self, host: str, routes: tuple[Route, ...], default: Target | None) -> Fragment:
        meta = self._ingress.metadata
        return Fragment(
            host=host,
            ingress=IngressRef(meta.namespace, meta.name, meta.uid),
            age=self._age,
            scope=self._scope,
            certificate=self._certificates.of(host),
            # A name that has a certificate and no rules is served by whoever has rules for it.
            client_auth=self._client_auth if routes or default is not None else None,
            policy=self._policy,
            regex_host=turns_host_into_regex(routes, self._use_regex, self._policy.rewrite, self._compat),
            routes=routes,
            default_backend=default,
        )

    def _other_names(self, rules: dict[str, list[Route]], default: Target | None) -> dict[str, Fragment]:
        """Weak fragments: the aliases of the first host, and the `www.` twins of all."""
        weak: dict[str, Fragment] = {}
        first = next((host for host in rules if host), None)
        aliases = self._reading.values.get(SERVER_ALIAS) or ()
        for alias in aliases if first is not None else ():
            if alias not in rules:
                base = self._fragment(first or "", tuple(rules[first or ""]), default)
                certificate = self._certificates.of(alias) or base.certificate
                weak[alias] = msgspec.structs.replace(base, host=alias, weak=True, certificate=certificate)
        if not self._reading.values.get(FROM_TO_WWW):
            return weak
        for host in rules:
            twin = twin_of(host)
            if twin is not None and twin not in rules and twin not in weak:
                weak[twin] = self._redirecting(twin, host)
        return weak

    def _redirecting(self, twin: str, host: str) -> Fragment:
        """A fragment that takes all requests for `twin` and sends them to `host`."""
        policy = Policy(redirect_host=host, access_log=self._policy.access_log)
        base = self._fragment(twin, (), Target())
        certificate = base.certificate or self._certificates.of(host)
        return msgspec.structs.replace(
            base, weak=True, policy=policy, regex_host=False, certificate=certificate, client_auth=None
        )

    def _asked(self, options: Options) -> ClientAuth | None:
        """What the hosts ask of clients' certificates. An authority that must not be used lets nobody in."""
        asked = self._reading.client_auth
        if asked is None or asked.authority == NO_AUTHORITY or options.allow_cross_namespace_resources:
            return asked
        namespace, _, _ = asked.authority.partition("/")
        if namespace == self._namespace:
            return asked
        message = (
            f"annotation {AUTHORITY.name}: Secret {asked.authority} is of another namespace, which needs "
            "--allow-cross-namespace-resources; every request of its hosts is refused"
        )
        self._findings.append(error("ForeignSecret", message))
        return ClientAuth(NO_AUTHORITY)

    def _default(self, backend: IngressBackend) -> Target:
        return self._target(backend) or self._unsupported(backend, "spec.defaultBackend")

    def _unsupported(self, backend: IngressBackend, field: str) -> Target:
        what = f"{backend.resource.kind} {backend.resource.name}" if backend.resource else "nothing"
        message = f"{field}: a backend that is {what} and no Service is not supported; it is answered 503"
        self._findings.append(error("UnsupportedBackend", message))
        return Target()

    def _target(self, backend: IngressBackend) -> Target | None:
        """Where requests go; None when that is no Service. Most paths of an Ingress lead to the same one."""
        known = self._targets.get(backend)
        if known is not None or backend.service is None:
            return known
        service = backend.service
        port = service.port.name or (str(service.port.number) if service.port.number else "")
        named = endpoints_key(self._namespace, service.name, port)
        target = Target(service=named)
        if not self._reading.closed:
            key = endpoints_key(self._namespace, service.name, port, cluster_ip=self._cluster_ip)
            self._refers.add(("endpoints", key))
            target = Target(service=named, endpoints=key, upstream=self._upstream)
        self._targets[backend] = target
        return target

    def _upstream_key(self) -> str:
        """The key of how to speak to backends, with what that refers to."""
        upstream = self._reading.upstream
        if self._reading.closed or upstream == _DEFAULT_UPSTREAM:
            return ""
        key, blob = _keyed(upstream)
        if upstream.tls.authority:
            self._refers.add(("authority", upstream.tls.authority))
        if upstream.tls.certificate:
            self._refers.add((IDENTITY, upstream.tls.certificate))
        self._upstreams[key] = blob
        return key


@functools.lru_cache(maxsize=256)
def _keyed(upstream: Upstream) -> tuple[str, bytes]:
    """Of ten thousand Ingresses most have settings that another has as well."""
    blob = encode(upstream)
    return blake2b(blob, digest_size=8).hexdigest(), blob


def _policy(reading: Reading, options: Options) -> Policy:
    policy = reading.policy
    if reading.closed:
        return Policy(access_log=policy.access_log)
    if policy.x_forwarded_prefix and not policy.rewrite and options.compat == "ingress-nginx":
        return msgspec.structs.replace(policy, x_forwarded_prefix=None)
    return policy
