"""One look at a source, compiled without a data path."""

from __future__ import annotations

from dataclasses import dataclass

from fastingress import _core
from fastingress.app.options import translate_options
from fastingress.config import Config, refuse_contradictions
from fastingress.control import Control
from fastingress.errors import ConfigError, StartError
from fastingress.model import Key
from fastingress.publish import ProblemBook, Published, Refusals, decode_scopes, publish
from fastingress.sources.manifests import Batch, ManifestPathError, ManifestSource
from fastingress.translate import Translator


@dataclass(frozen=True)
class Snapshot:
    """What a source says at one moment, compiled."""

    table: _core.Table
    state: dict[Key, bytes]
    """What the table was compiled from."""
    book: ProblemBook
    refusals: Refusals

    def verify_certificates(self) -> None:
        """Check the keys of all certificates; what is wrong goes to the book."""
        self.book.update(self.refusals.by_scope(decode_scopes(self.table.verify_certificates())))


def compile_once(config: Config) -> Snapshot:
    """Read the source once and compile it, without a data path. Raises `ConfigError`, `StartError`."""
    refuse_contradictions(config)
    translator = Translator(translate_options(config))
    control = Control(translator, ProblemBook())
    control.take(_scan(config))
    table = _core.Table(round(config.certificate_expiry_warning))
    state = translator.state()
    outcome = publish(table, Published(), state, full=True)
    if outcome.report is None:
        raise StartError(f"the manifests could not be compiled: {outcome.error}") from outcome.error
    refusals = Refusals(control.store.view(), translator.owners)
    control.book.update(refusals.by_scope(outcome.report.problems))
    return Snapshot(table, state, control.book, refusals)


def _scan(config: Config) -> Batch:
    if not config.manifests:
        raise ConfigError("--manifests: give files or folders of manifests")
    try:
        return ManifestSource(config.manifests).scan()
    except ManifestPathError as error:
        raise ConfigError(str(error)) from error
