"""The RBAC objects that a cluster has to have for given options, as YAML to be applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from fastingress.app.options import cluster_options
from fastingress.config import Config
from fastingress.errors import ConfigError
from fastingress.sources.cluster.kinds import Named
from fastingress.sources.cluster.rbac import rbac


def named(config: Config, secrets: Iterable[str], config_maps: Iterable[str]) -> Named:
    """From `NAMESPACE/NAME` each, and from the flags that name a Secret. Raises `ConfigError` for one that is not."""
    flagged = filter(None, (config.default_ssl_certificate, config.ssl_session_ticket_secret))
    return Named(
        secrets=_by_namespace("--secret", [*secrets, *flagged]),
        config_maps=_by_namespace("--config-map", config_maps),
    )


def document(config: Config, named: Named, *, name: str, namespace: str) -> str:
    """One YAML document for each object."""
    objects = rbac(cluster_options(config, own_namespace=namespace), named, name=name)
    text: str = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, explicit_start=True, width=120)
    return text


def _by_namespace(flag: str, texts: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        namespace, slash, name = text.partition("/")
        if not slash or not namespace or not name or "/" in name:
            raise ConfigError(f"{flag}: {text!r} is not of the form NAMESPACE/NAME")
        found.setdefault(namespace, []).append(name)
    return found


class _Dumper(yaml.SafeDumper):
    """Lists of words on one line, as people write rules, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    is_flow = all(isinstance(item, str) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=is_flow)


_Dumper.add_representer(list, _represent_list)
