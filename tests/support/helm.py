"""Helm, and the chart as it renders it. The program is built from its Go module in `tests/deploy/helm`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.manifests import Manifest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart" / "fastingress"
MANIFESTS = ROOT / "deploy" / "manifests"
PROGRAM = Path(os.environ.get("HELM_BIN") or ROOT / "target" / "helm") / "helm"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
"""Files of values for all that the chart can do, by what they are about."""

Values = Mapping[str, Any]


def missing() -> str:
    """Why there is no helm; empty when there is."""
    return "" if PROGRAM.exists() else f"no helm in {PROGRAM.parent}; `make helm` builds it, with Go"


def lint(values: Values) -> subprocess.CompletedProcess[str]:
    """`helm lint --strict`, in which a warning is an error."""
    return _run("lint", "--strict", str(CHART), "--values", "-", stdin=yaml.safe_dump(dict(values)))


def rendered(
    values: Values | None = None,
    *,
    release: str = "fastingress",
    namespace: str = "fastingress",
    templates: Sequence[str] = (),
) -> list[Manifest]:
    """The objects of the chart: all of them, or those of some templates."""
    done = template(values, release=release, namespace=namespace, templates=templates)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def template(
    values: Values | None = None,
    *,
    release: str = "fastingress",
    namespace: str = "fastingress",
    templates: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """`helm template`, which may fail."""
    shown = [word for name in templates for word in ("--show-only", f"templates/{name}")]
    words = ["template", release, str(CHART), "--namespace", namespace, "--values", "-", *shown]
    return _run(*words, stdin=yaml.safe_dump(dict(values or {})))


def values_of(name: str) -> dict[str, Any]:
    """One of the files of values."""
    read: dict[str, Any] = yaml.safe_load(VALUES[name].read_text(encoding="utf-8"))
    return read


def objects(text: str) -> list[Manifest]:
    """The objects of YAML documents."""
    return [each for each in yaml.safe_load_all(text) if each]


def name_of(manifest: Manifest) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [each for each in manifests if each["kind"] == kind]


def arguments_of(manifests: Sequence[Manifest]) -> list[str]:
    """The arguments that the Deployment of the controller gives to it."""
    (deployment,) = (each for each in of_kind(manifests, "Deployment") if _container(each)["name"] == "fastingress")
    found: list[str] = _container(deployment)["args"]
    return found


def _container(deployment: Manifest) -> Manifest:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


def _run(*words: str, stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *words], input=stdin, capture_output=True, text=True, timeout=120, check=False)
