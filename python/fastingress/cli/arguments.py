"""The options of commands, made from their declaration in `config`: names, help, default and variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from fastingress.config import FLAGS, Flag

TABLE_OPTIONS = (
    "compat",
    "default_backend_service",
    "service_upstream",
    "allow_cross_namespace_resources",
    "ingress_class",
    "controller_class",
    "watch_ingress_without_class",
    "all_ingress_classes",
    "http_port",
    "https_port",
    "admin_port",
    "proxy_protocol_from",
    "tcp",
    "udp",
    "tcp_services_configmap",
    "udp_services_configmap",
    "default_ssl_certificate",
    "http3",
    "enable_ssl_passthrough",
)
"""Those that decide what the route table of some manifests is, and what its ports lead to."""
RUN_OPTIONS = tuple(name for name in FLAGS if name != "manifests")
"""All that a gateway has beside its manifests."""


def with_options(names: Iterable[str], *, hidden: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command that takes `**options` the options of these names, beside the parameters it has.

    With `hidden` its help does not show them.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [_parameter(FLAGS[name], hidden) for name in names]
        function.__signature__ = signature.replace(parameters=[*own, *made])  # type: ignore[attr-defined]
        function.__annotations__ = {one.name: one.annotation for one in (*own, *made)} | {"return": None}
        return function

    return decorate


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Only the options that were on the command line."""
    return {name: value for name, value in options.items() if value is not None and value != []}


def _parameter(flag: Flag, hidden: bool) -> inspect.Parameter:
    option = typer.Option(
        None,
        f"{flag.option}/--no-{flag.option[2:]}" if flag.kind.boolean else flag.option,
        metavar=flag.kind.metavar or None,
        help=f"{flag.help} Default: {flag.shown_default}. Variable: {flag.variable}.",
        show_default=False,
        hidden=hidden,
        rich_help_panel=flag.group,
    )
    return inspect.Parameter(flag.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=_type(flag))


def _type(flag: Flag) -> Any:
    # Values stay text: the kinds of `config` parse them, so that a variable and a flag are refused in the same words.
    if flag.kind.boolean:
        return bool | None
    return list[str] | None if flag.kind.repeatable else str | None
