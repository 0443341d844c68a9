"""Runs a credential plugin of a kubeconfig (client.authentication.k8s.io), and says what is wrong with its answer.

The client library runs such plugins too, but hides their failures in its log, waits for them for ever, and tells them
nothing about the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastingress.sources.cluster.identity import CredentialsError

WITHIN = 30.0
"""Seconds that a plugin may take."""
_KILLED_WITHIN = 1.0
_LONGEST_COMPLAINT = 300


@dataclass(frozen=True)
class Issued:
    """What a plugin gave."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    """PEM."""
    key: str = field(default="", repr=False)
    ends: float = math.inf
    """Seconds since the epoch."""


async def run_plugin(
    plugin: Mapping[str, Any],
    cluster: Mapping[str, Any],
    folder: Path,
    environ: Mapping[str, str],
    *,
    within: float = WITHIN,
) -> Issued:
    """The credential that a plugin issues now. A relative path of its command is relative to `folder`.

    Raises CredentialsError, whose message begins with the command.
    """
    command, version = plugin.get("command"), plugin.get("apiVersion")
    if not isinstance(command, str) or not isinstance(version, str):
        raise CredentialsError("exec: command and apiVersion must be given")
    if "/" in command:
        command = str(folder / command)
    environment = {**environ, "KUBERNETES_EXEC_INFO": json.dumps(_about(plugin, version, cluster))}
    for item in plugin.get("env") or ():
        environment[str(item.get("name"))] = str(item.get("value", ""))
    arguments = [str(argument) for argument in plugin.get("args") or ()]
    return _issued(command, version, await _output(command, arguments, environment, within, plugin.get("installHint")))


def _about(plugin: Mapping[str, Any], version: str, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What the plugin is told: nobody is there to be asked, and about the cluster if it wants to know."""
    about: dict[str, Any] = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    if plugin.get("provideClusterInfo"):
        names = ("server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name", "proxy-url")
        about["spec"]["cluster"] = {name: cluster[name] for name in names if name in cluster}
    return about


async def _output(
    command: str, arguments: list[str], environment: dict[str, str], within: float, hint: str | None
) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        more = f"; {' '.join(hint.split())}" if hint else ""
        raise CredentialsError(f"exec: {command}: {error.strerror}{more}") from None
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), within)
    except asyncio.TimeoutError:
        raise CredentialsError(f"exec: {command}: no answer in {within:.3g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, asyncio.TimeoutError):
                process.kill()
                await asyncio.wait_for(process.wait(), _KILLED_WITHIN)
    if process.returncode:
        said = " ".join(complaint.decode(errors="replace").split())[:_LONGEST_COMPLAINT]
        raise CredentialsError(f"exec: {command}: ended with {process.returncode}: {said or 'it said nothing'}")
    return output


def _issued(command: str, version: str, output: bytes) -> Issued:
    """The output is never quoted: it may hold a token."""
    try:
        answer = json.loads(output)
        status = answer["status"]
        kind, theirs = answer["kind"], answer["apiVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CredentialsError(f"exec: {command}: its answer is no ExecCredential with a status") from None
    if kind != "ExecCredential" or theirs != version:
        raise CredentialsError(f"exec: {command}: its answer is {theirs} {kind}, not {version} ExecCredential")
    texts = [status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData")]
    token, certificate, key = texts if all(isinstance(text, str) for text in texts) else ("", "", "")
    if not token and not (certificate and key):
        raise CredentialsError(f"exec: {command}: its answer has neither a token nor a certificate with its key")
    return Issued(token, certificate, key, _seconds(command, status.get("expirationTimestamp")))


def _seconds(command: str, stamp: object) -> float:
    if stamp is None:
        return math.inf
    try:
        return datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise CredentialsError(f"exec: {command}: expirationTimestamp is no time: {stamp}") from None
