"""The settings of a class: what the ConfigMap that the parameters of an IngressClass name says.

Keys and values are those of ingress-nginx's ConfigMap, as far as they can differ between classes here. What is not said
is as for the whole process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from fastingress.model import Settings
from fastingress.objects import ConfigMap, IngressClass
from fastingress.store import View
from fastingress.translate.annotations.declare import ValueType
from fastingress.translate.annotations.values import BOOLEAN, DURATION, SIZE, csv, status_code
from fastingress.translate.findings import Finding
from fastingress.translate.options import Options
from fastingress.translate.settings import translate_settings

_MOST_TRIES = 100
_LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Parameter:
    """One key of the ConfigMap."""

    name: str
    type: ValueType[Any]
    field: str
    """The field of `model.Settings` that it fills."""
    doc: str
    negated: bool = False
    """The field says the opposite."""


def _paths(text: str) -> tuple[str, ...]:
    found = tuple(csv(text))
    for path in found:
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is not a path: it begins with /")
    return found


def _tries(text: str) -> int:
    word = text.strip()
    if not word.isdecimal() or len(word) > 3 or not 1 <= int(word) <= _MOST_TRIES:
        raise ValueError(f"is not a whole number from 1 to {_MOST_TRIES}")
    return int(word)


def _seconds(text: str) -> int:
    word = text.strip()
    if not (word.isascii() and word.isdecimal()) or len(word) > _LONGEST_NUMBER:
        raise ValueError("is not a whole number of seconds")
    return int(word)


PARAMETERS = (
    Parameter("proxy-body-size", SIZE, "body_limit", "The largest request body; `0` is no limit."),
    Parameter("proxy-connect-timeout", DURATION, "connect_timeout_ms", "How long connecting to an endpoint may take."),
    Parameter("proxy-read-timeout", DURATION, "read_timeout_ms", "How long a backend may be silent between two reads."),
    Parameter(
        "proxy-send-timeout", DURATION, "send_timeout_ms", "How long a backend may take nothing between two writes."
    ),
    Parameter(
        "proxy-next-upstream-tries",
        ValueType("number", "3", _tries),
        "tries",
        "How many endpoints are tried for a request that can be tried again.",
    ),
    Parameter("ssl-redirect", BOOLEAN, "ssl_redirect", "Redirect http to https where the host has a certificate."),
    Parameter("force-ssl-redirect", BOOLEAN, "force_ssl_redirect", "Redirect http to https everywhere."),
    Parameter("http-redirect-code", status_code(301, 308), "redirect_code", "The status of these redirects."),
    Parameter(
        "no-tls-redirect-locations",
        ValueType("list of paths", "/.well-known/acme-challenge", _paths),
        "no_tls_redirect",
        "Paths below which nothing is redirected to https.",
    ),
    Parameter(
        "enable-underscores-in-headers", BOOLEAN, "underscores_in_headers", "Let header names with underscores pass."
    ),
    Parameter("hsts", BOOLEAN, "hsts", "Send Strict-Transport-Security with answers over TLS."),
    Parameter("hsts-max-age", ValueType("seconds", "31536000", _seconds), "hsts_max_age", "Its `max-age`."),
    Parameter(
        "hsts-include-subdomains", BOOLEAN, "hsts_include_subdomains", "Let it speak for all subdomains of the host."
    ),
    Parameter("hsts-preload", BOOLEAN, "hsts_preload", "Let it ask for a place in the lists that browsers come with."),
    Parameter("disable-access-log", BOOLEAN, "access_log", "Write no access records.", negated=True),
)
"""All keys, in the order of the reference page."""

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def class_scope(name: str) -> str:
    """The scope of the settings of a class."""
    return f"class/{name}"


def translate_parameters(view: View, name: str, options: Options) -> tuple[Settings, list[Finding]]:
    """The settings of the Ingresses of a class."""
    base = translate_settings(options)
    found = view.get("IngressClass", "", name)
    if found is None:
        return base, []
    config, fault = _config_map(view, found)
    if config is None:
        return base, [Finding("InvalidParameters", "error", fault, found.ref, found.origin)]
    changes: dict[str, Any] = {}
    findings: list[Finding] = []
    for key, text in sorted(config.data.items()):
        parameter = _BY_NAME.get(key)
        if parameter is None:
            message = f"data[{key}]: not a setting that a class can have; ignored"
            findings.append(Finding("UnknownSetting", "warning", message, config.ref, config.origin))
            continue
        try:
            value = parameter.type.parse(text)
        except ValueError as error:
            message = f"data[{key}]: {text!r} {error}; what holds without it is used"
            findings.append(Finding("InvalidSetting", "error", message, config.ref, config.origin))
            continue
        changes[parameter.field] = not value if parameter.negated else value
    return msgspec.structs.replace(base, **changes), findings


def _config_map(view: View, owner: IngressClass) -> tuple[ConfigMap | None, str]:
    """The ConfigMap, or what is wrong with naming it."""
    parameters = owner.spec.parameters
    if parameters is None:
        return None, "spec.parameters: not given"
    if parameters.kind != "ConfigMap" or parameters.api_group:
        return None, f"spec.parameters: a {parameters.kind} is not read, only a ConfigMap is"
    if parameters.scope != "Namespace" or not parameters.namespace:
        return None, "spec.parameters: a ConfigMap needs scope: Namespace, and its namespace"
    path = f"{parameters.namespace}/{parameters.name}"
    config = view.get("ConfigMap", parameters.namespace, parameters.name)
    return config, "" if config is not None else f"spec.parameters: ConfigMap {path} does not exist, or may not be read"
