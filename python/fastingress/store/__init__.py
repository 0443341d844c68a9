"""Objects by key, and the answer to "did this change matter?"."""

from __future__ import annotations

from fastingress.store.changes import ALL, SLICES_OF, Change, Delete, Dependency, Upsert
from fastingress.store.store import Store
from fastingress.store.view import RecordingView, View

__all__ = ["ALL", "SLICES_OF", "Change", "Delete", "Dependency", "RecordingView", "Store", "Upsert", "View"]
