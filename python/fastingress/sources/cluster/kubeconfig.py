"""One kubeconfig, or several merged: the client library reads them, and its complaints get the name of the file.

Credential plugins are run by `plugin`: the library hides what goes wrong with them.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fastingress.sources.cluster.identity import CredentialsError, Identity, Loaded, checked
from fastingress.sources.cluster.plugin import Issued, run_plugin

AGAIN = 60.0
"""Seconds after which the files are looked at again."""
EARLY = 30.0
"""Seconds before its end at which a credential of a plugin is replaced."""


class Kubeconfig:
    """The identity that a context of a kubeconfig stands for.

    `origin` is what the messages begin with: the flag, or the variable, that named the files.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        context: str | None,
        origin: str,
        environ: Mapping[str, str],
        *,
        now: Callable[[], float] = time.time,
        again: float = AGAIN,
    ) -> None:
        self._paths = [path.expanduser() for path in paths]
        self._context = context
        self._origin = origin
        self._environ = environ
        self._now = now
        self._again = again
        self._content: list[bytes] = []
        self._loader: Any = None
        self._issued: Issued | None = None

    async def load(self, *, force: bool) -> Loaded:
        """What the files say now; a plugin is run when its last credential ends, or with `force`.

        Raises CredentialsError.
        """
        content = self._read()
        if content != self._content:
            self._loader = self._open()
            self._content, self._issued = content, None
        try:
            return await self._load(self._loader, force)
        except CredentialsError:
            raise
        except Exception as error:  # the library raises what its parsing of the file happens to raise
            raise CredentialsError(f"{self._names()}: {_worded(error)}") from None

    def _read(self) -> list[bytes]:
        """The content of the files that there are; of several, some may be missing."""
        content = []
        for path in self._paths:
            try:
                content.append(path.read_bytes())
            except FileNotFoundError:
                continue
            except OSError as error:
                raise CredentialsError(f"{self._origin}: {path}: {os.strerror(error.errno or 0)}") from None
            if content[-1] not in self._content:
                self._check(path, content[-1])
        if not content:
            raise CredentialsError(f"{self._names()}: no such file")
        return content

    def _check(self, path: Path, data: bytes) -> None:
        try:
            parsed = yaml.safe_load(data)
        except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
            raise CredentialsError(f"{self._origin}: {path}: this is not YAML{_place(error)}") from None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("clusters") or [], list):
            raise CredentialsError(f"{self._origin}: {path}: this is no kubeconfig")

    def _open(self) -> Any:
        import kubernetes.aio.config.kube_config

        library: Any = kubernetes.aio.config.kube_config
        try:
            merged = library.KubeConfigMerger(os.pathsep.join(map(str, self._paths))).config
            context = self._context or merged.value.get("current-context")
            known = [str(item.value["name"]) for item in merged.value["contexts"]]
        except Exception as error:
            raise CredentialsError(f"{self._names()}: {_worded(error)}") from None
        if not context:
            raise CredentialsError(
                f"{self._names()}: it has no current-context; name one with --context{_among(known)}"
            )
        if context not in known:
            where = "--context" if self._context else self._origin
            raise CredentialsError(f"{where}: {self._files()}: there is no context {context!r}{_among(known)}")
        try:
            return library.KubeConfigLoader(config_dict=merged, active_context=context, config_base_path=None)
        except Exception as error:
            raise CredentialsError(f"{self._names()}: context {context!r}: {_worded(error)}") from None

    async def _load(self, loader: Any, force: bool) -> Loaded:
        from kubernetes.aio.client import Configuration

        user = getattr(loader._user, "value", None) or {}
        plugin = user.get("exec")
        seconds = self._again
        if plugin:
            self._issued = await self._credential(loader, plugin, force)
            _give(loader, self._issued)
            seconds = min(seconds, max(1.0, self._issued.ends - self._now() - EARLY))
        configuration = Configuration(host="")
        await _set(loader, configuration, with_plugin=bool(plugin))
        return Loaded(self._identity(loader, configuration), seconds)

    async def _credential(self, loader: Any, plugin: Mapping[str, Any], force: bool) -> Issued:
        issued = self._issued
        if issued is not None and not force and self._now() < issued.ends - EARLY:
            return issued
        try:
            folder = Path(loader._user.path or ".").parent
            return await run_plugin(plugin, loader._cluster.value, folder, self._environ)
        except CredentialsError as error:
            raise CredentialsError(f"{self._names()}: {error}") from None

    def _authority(self, configuration: Any) -> str:
        """Nothing, where an authority is named, would mean that those of the system are trusted."""
        if not configuration.ssl_ca_cert:
            return ""
        text = Path(configuration.ssl_ca_cert).read_text(encoding="utf-8")
        if not text.strip():
            raise CredentialsError(f"{self._names()}: the certificate authority is empty")
        return text

    def _identity(self, loader: Any, configuration: Any) -> Identity:
        host = configuration.host or ""
        if not host.startswith(("https://", "http://")):
            raise CredentialsError(f"{self._names()}: the cluster of the context has no server, or one that is no URL")
        files = [configuration.cert_file, configuration.key_file]
        context = loader._current_context.value.get("context") or {}
        return checked(
            Identity(
                server=host.rstrip("/"),
                authorization=configuration.api_key.get("BearerToken", ""),
                ca=self._authority(configuration),
                certificate=files[0] or "",
                key=files[1] or "",
                certificate_digest=_digest(files),
                verify=bool(configuration.verify_ssl),
                server_name=configuration.tls_server_name or "",
                proxy=configuration.proxy or "",
                namespace=context.get("namespace") or "",
            ),
            self._names(),
        )

    def _files(self) -> str:
        return ", ".join(map(str, self._paths))

    def _names(self) -> str:
        """What messages begin with."""
        return f"{self._origin}: {self._files()}"


def _give(loader: Any, issued: Issued) -> None:
    """Puts what a plugin issued to where the library puts it."""
    import kubernetes.aio.config.kube_config

    library: Any = kubernetes.aio.config.kube_config
    if issued.token:
        loader.token = f"Bearer {issued.token}"
    if issued.certificate:
        pair = {"certificate": issued.certificate, "key": issued.key}
        loader.cert_file, loader.key_file = (
            library.FileOrData(pair, None, data_key_name=name, base64_file_content=False).as_file() for name in pair
        )


async def _set(loader: Any, configuration: Any, *, with_plugin: bool) -> None:
    if loader._user is None:
        loader._user = {}  # the library trips over a context without a user
    if with_plugin:
        loader._load_cluster_info()
        loader._set_config(configuration)
    else:
        await loader.load_and_set(configuration)


def _digest(files: Sequence[str | None]) -> str:
    content = [Path(name).read_bytes() for name in files if name]
    return hashlib.sha256(b"\0".join(content)).hexdigest() if content else ""


def _among(known: Sequence[str]) -> str:
    return f" (there are: {', '.join(sorted(known))})" if known else ""


def _worded(error: Exception) -> str:
    """The library's own words for what it understands; the rest are slips over odd files. Quotes nothing."""
    from kubernetes.aio.config import ConfigException

    if not isinstance(error, ConfigException | OSError):
        return f"this is no kubeconfig ({type(error).__name__})"
    # The library names a place in the file by what stands there, tokens and keys included.
    return re.sub(r"\{.*\}", "…", " ".join(str(error).split()))


def _place(error: Exception) -> str:
    """Where it is, and not what stands there."""
    mark = getattr(error, "problem_mark", None)
    return f": {getattr(error, 'problem', '')} in line {mark.line + 1}" if mark is not None else ""
