"""Objects from files and folders of plain YAML and JSON."""

from __future__ import annotations

from fastingress.sources.manifests.batch import Batch, ManifestPathError
from fastingress.sources.manifests.source import ManifestSource

__all__ = ["Batch", "ManifestPathError", "ManifestSource"]
