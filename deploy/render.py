"""Writes `manifests/` from the chart: the same objects for people who apply them without helm.

Run as `python deploy/render.py HELM`, which `make deploy` does. Nothing is decided here but which values a file has.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CHART = HERE / "chart" / "fastingress"
MANIFESTS = HERE / "manifests"


@dataclass(frozen=True)
class Manifest:
    """One file: what it says at its top, and the values and templates it is rendered from."""

    name: str
    heading: str
    values: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    """All, if none is named."""


FILES = (
    Manifest(
        "fastingress.yaml",
        "The controller in a namespace of its own: everything that is needed.",
        values=("namespace.create=true",),
    ),
    Manifest(
        "example-application.yaml",
        "An application in a namespace that denies traffic by default, and the policy that lets the controller in.",
        values=("exampleApplication.enabled=true",),
        templates=("example-application.yaml",),
    ),
    Manifest(
        "autoscaling.yaml",
        "Optional: as many replicas as the load needs. Take `replicas` out of the Deployment when you use it.",
        values=("autoscaling.enabled=true",),
        templates=("horizontalpodautoscaler.yaml",),
    ),
    Manifest(
        "monitoring.yaml",
        "Optional: for clusters with the Prometheus operator and Grafana.",
        values=("serviceMonitor.enabled=true", "dashboard.enabled=true"),
        templates=("metrics.yaml", "dashboard.yaml"),
    ),
)


def template(helm: str, *arguments: str) -> str:
    """What helm makes of the chart as release `fastingress` in namespace `fastingress`, as it prints it."""
    command = [helm, "template", "fastingress", str(CHART), "--namespace", "fastingress", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def arguments(manifest: Manifest) -> list[str]:
    """For `template`, to get what belongs into this file."""
    values = [word for value in manifest.values for word in ("--set", value)]
    return values + [word for name in manifest.templates for word in ("--show-only", f"templates/{name}")]


def text(helm: str, manifest: Manifest) -> str:
    """The file: comments of the templates stay, what helm says about its own work goes."""
    rendered = template(helm, *arguments(manifest))
    documents = [document.strip() for document in re.split(r"^---$", rendered, flags=re.MULTILINE)]
    documents = [re.sub(r"\A# Source: .*\n", "", document) for document in documents if document]
    heading = f"# {manifest.heading}\n# Made from the chart by `make deploy`; do not edit.\n"
    return heading + "".join(f"---\n{document}\n" for document in documents)


def main() -> None:
    """Writes all files."""
    helm = sys.argv[1]
    MANIFESTS.mkdir(exist_ok=True)
    for manifest in FILES:
        (MANIFESTS / manifest.name).write_text(text(helm, manifest), encoding="utf-8")


if __name__ == "__main__":
    main()
