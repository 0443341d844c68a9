"""Folders of manifests, read once, and what comes of them step by step."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from fastingress.model import Key
from fastingress.objects import Ingress
from fastingress.sources.manifests import ManifestSource
from fastingress.store import Change, Store, Upsert
from fastingress.translate import Options, Translator
from tests.support.scale import Plan

EDITED = 321
Values = dict[Key, bytes]


class Folder:
    """A folder of so many Ingresses, read once."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self.plan = plan
        plan.write(path)

    @cached_property
    def changes(self) -> list[Change]:
        """All that is in it."""
        return ManifestSource([self.path]).scan().changes

    @cached_property
    def edits(self) -> tuple[Change, Change]:
        """The same Ingress, edited and as it was."""
        file = self.plan.file(self.path, EDITED)
        found: list[Change] = []
        for edit in (1, 0):
            file.write_text(self.plan.text(EDITED, edit), encoding="utf-8")
            found.append(next(change for change in ManifestSource([file]).scan().changes if self._is_edited(change)))
        return found[0], found[1]

    @cached_property
    def values(self) -> Values:
        """The desired state."""
        _, translator = self.translated()
        return translator.state()

    @cached_property
    def edited_values(self) -> tuple[Values, Values]:
        """What an edit of one Ingress changes, and what the way back does."""
        store, translator = self.translated()
        there, back = (translator.update(store.view(), store.apply([change])) for change in self.edits)
        return there.upserts, back.upserts

    def translated(self) -> tuple[Store, Translator]:
        """A store with all of it, and a translator that has seen it."""
        store, translator = Store(), Translator(Options(allow_local_endpoints=True))
        store.apply(self.changes)
        translator.update(store.view(), None)
        return store, translator

    def _is_edited(self, change: Change) -> bool:
        if not isinstance(change, Upsert) or not isinstance(change.object, Ingress):
            return False
        return change.object.metadata.name == self.plan.name(EDITED)
