"""The translator: keeps what came of every object, and redoes exactly what a change touches.

Its units are one per Ingress, per endpoint set, per certificate that we have or show to endpoints, per authority, per
class with parameters, one for the settings,
and one for TCP and UDP services. A unit's outcome is a function of what it read, and what it read is
recorded, found or missing. Endpoint sets, certificates, authorities, classes and upstreams are shared: they exist while
someone refers to them. No I/O, no clock; it does not encode change sets and does not publish.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from fastingress.model import Key, Settings, encode
from fastingress.problems import ObjectRef, Problem
from fastingress.store import ALL, Dependency, RecordingView, View
from fastingress.translate.authorities import translate_authority
from fastingress.translate.backends import translate_endpoints
from fastingress.translate.certificates import translate_certificate
from fastingress.translate.classes import check_own_class
from fastingress.translate.delta import Counts, Delta
from fastingress.translate.findings import error
from fastingress.translate.identities import translate_identity
from fastingress.translate.ingress import translate_ingress
from fastingress.translate.options import Options
from fastingress.translate.parameters import class_scope, translate_parameters
from fastingress.translate.queue import Queue
from fastingress.translate.settings import PROCESS, translate_settings
from fastingress.translate.state import State
from fastingress.translate.streams import translate_streams
from fastingress.translate.tickets import translate_tickets
from fastingress.translate.uids import Uids
from fastingress.translate.units import IDENTITY, Unit, Units

_PAGE = 16
"""Units between two pauses of a paged update: one to two milliseconds."""
_HITS = 50
"""Dependencies that are looked up in one step, about as long as one unit takes."""
_SETTINGS: Key = ("settings", PROCESS)
_STREAMS: Key = ("streams", PROCESS)


class Translator:
    """Turns objects into the desired state, incrementally.

    Updates must not overlap: finish or close one before the next begins. What a closed one left undone, the next does.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = State()
        self._units = Units(self._state)
        self._uids = Uids()
        self._dirty = Queue()
        self._hits: list[Dependency] = []
        self._counts = Counts()

    def update(self, view: View, hit: Iterable[Dependency] | None) -> Delta:
        """Redoes what depends on `hit`, everything for None, and tells what came out differently."""
        self._begin(view, hit)
        while self._hits or self._dirty:
            self._step(view)
        return self._take()

    def update_paged(self, view: View, hit: Iterable[Dependency] | None) -> Generator[None, None, Delta]:
        """As `update`, pausing every few milliseconds. The store may change meanwhile: report that as the next hit."""
        self._begin(view, hit)
        done = 0
        while self._hits or self._dirty:
            self._step(view)
            done += 1
            if done % _PAGE == 0:
                yield
        return self._take()

    def state(self) -> dict[Key, bytes]:
        """All of the desired state, for a full resync."""
        return self._state.entries()

    def problems(self) -> dict[str, list[Problem]]:
        """All problems that stand, by unit."""
        return self._units.problems()

    def is_ours(self, namespace: str, name: str) -> bool:
        """Whether the Ingress of that name is served here, as of the last update."""
        return self._units.last(_ingress_unit(namespace, name)).ours

    def needs(self) -> set[Dependency]:
        """The Secrets and ConfigMaps that are read, found or missing."""
        return self._units.needs()

    def owners(self, key: Key) -> list[ObjectRef]:
        """The Ingresses that lead to an entry of the desired state, by namespace and name."""
        return self._units.owners_of(key)

    def check_invariants(self) -> None:
        """Raises AssertionError if the parts disagree. For tests, between updates."""
        self._units.check_invariants()
        assert not self._hits, "a hit is left to look at"
        assert not self._dirty, "a unit is left to do"

    def _begin(self, view: View, hit: Iterable[Dependency] | None) -> None:
        if hit is None:
            self._dirty.add(_ingress_unit(item.metadata.namespace, item.metadata.name) for item in view.list("Ingress"))
            self._dirty.add(self._units.keys())
        if _SETTINGS not in self._units:
            self._dirty.add((_SETTINGS,))
        if self._options.streams.wanted and _STREAMS not in self._units:
            self._dirty.add((_STREAMS,))
        self._hits.extend(hit or ())

    def _step(self, view: View) -> None:
        if self._hits:
            self._mark(self._hits[-_HITS:])
            del self._hits[-_HITS:]
        else:
            self._redo(view, self._dirty.first())

    def _mark(self, hits: list[Dependency]) -> None:
        """Ingresses come first, since they decide which shared units there are."""
        ingresses: set[Key] = set()
        others: set[Key] = set()
        for dependency in hits:
            if dependency.kind == "Ingress" and dependency.name != ALL:
                ingresses.add(_ingress_unit(dependency.namespace, dependency.name))
            for key in self._units.dependents(dependency):
                (ingresses if key[0] == "ingress" else others).add(key)
        self._dirty.add(ingresses)
        self._dirty.add(others)

    def _take(self) -> Delta:
        upserts, removals = self._state.take()
        counts, self._counts = self._counts, Counts()
        needed, unneeded = self._units.take_needs()
        return Delta(
            upserts,
            removals,
            self._units.take_problems(),
            counts,
            needed=frozenset(needed),
            unneeded=frozenset(unneeded),
            turned=frozenset(_namespace_and_name(unit) for unit in self._units.take_turned()),
        )

    def _redo(self, view: View, key: Key) -> None:
        recording = RecordingView(view)
        unit = self._guarded(recording, key) if self._units.is_wanted(key) else None
        self._dirty.drop_first()
        if unit is None:
            self._dirty.add(self._uids.release(key))
            self._units.remove(key)
        else:
            self._dirty.add(self._units.put(key, unit))

    def _guarded(self, view: RecordingView, key: Key) -> Unit | None:
        """A defect met in one unit is that unit's problem: what it was stays, and all others go on."""
        try:
            return self._translate(view, key)
        except Exception as defect:
            message = f"{key[0]} {key[1]} could not be translated, which is a defect of fastingress: {defect!r}"
            return self._units.last(key).failed(error("InternalError", message), view.dependencies)

    def _translate(self, view: RecordingView, key: Key) -> Unit | None:
        """The unit as it is now; None when its object is gone."""
        kind = key[0]
        if kind == "ingress":
            return self._ingress(view, key)
        if kind == "endpoints":
            return self._endpoints(view, key)
        if kind == "certificate":
            return self._certificate(view, key)
        if kind == "authority":
            return self._authority(view, key)
        if kind == "tickets":
            return self._tickets(view, key)
        if kind == IDENTITY:
            return self._identity(view, key)
        if kind == "class":
            return self._class(view, key)
        if kind == "streams":
            return self._streams(view)
        return self._settings(view)

    def _ingress(self, view: RecordingView, key: Key) -> Unit | None:
        namespace, name = _namespace_and_name(key)
        ingress = view.get("Ingress", namespace, name)
        if ingress is None:
            return None
        self._counts.ingresses += 1
        self._dirty.add(self._uids.claim(key, ingress.metadata.uid))
        suffix = self._uids.suffix(key)
        result = translate_ingress(view, ingress, self._options)
        entries: dict[Key, bytes] = {
            ("fragment", f"{host}/{suffix}"): encode(fragment) for host, fragment in result.fragments.items()
        }
        entries.update({("upstream", name): blob for name, blob in result.upstreams.items()})
        return Unit(
            entries=entries,
            refers=result.refers,
            depends=tuple(view.dependencies),
            findings=result.findings,
            ref=ingress.ref,
            ours=result.ours,
            origin=ingress.origin,
        )

    def _endpoints(self, view: RecordingView, key: Key) -> Unit:
        self._counts.endpoint_sets += 1
        value, findings = translate_endpoints(view, key[1], self._options)
        return Unit(entries={key: encode(value)}, depends=tuple(view.dependencies), findings=tuple(findings))

    def _certificate(self, view: RecordingView, key: Key) -> Unit:
        self._counts.certificates += 1
        namespace, _, name = key[1].partition("/")
        value, findings = translate_certificate(view, namespace, name)
        entries = {} if value is None else {key: encode(value)}
        return Unit(entries=entries, depends=tuple(view.dependencies), findings=tuple(findings))

    def _authority(self, view: RecordingView, key: Key) -> Unit:
        self._counts.authorities += 1
        value, findings = translate_authority(view, *_namespace_and_name(key))
        entries = {} if value is None else {key: encode(value)}
        return Unit(entries=entries, depends=tuple(view.dependencies), findings=tuple(findings))

    def _tickets(self, view: RecordingView, key: Key) -> Unit:
        value, findings = translate_tickets(view, *_namespace_and_name(key))
        entries: dict[Key, bytes] = {} if value is None else {("tickets", PROCESS): encode(value)}
        return Unit(entries=entries, depends=tuple(view.dependencies), findings=tuple(findings))

    def _identity(self, view: RecordingView, key: Key) -> Unit:
        self._counts.certificates += 1
        value, findings = translate_identity(view, *_namespace_and_name(key))
        entries: dict[Key, bytes] = {} if value is None else {("certificate", key[1]): encode(value)}
        return Unit(entries=entries, depends=tuple(view.dependencies), findings=tuple(findings))

    def _class(self, view: RecordingView, key: Key) -> Unit:
        self._counts.settings += 1
        value, findings = translate_parameters(view, key[1], self._options)
        entries: dict[Key, bytes] = {("settings", class_scope(key[1])): encode(value)}
        return Unit(entries=entries, refers=_targets(value), depends=tuple(view.dependencies), findings=tuple(findings))

    def _streams(self, view: RecordingView) -> Unit:
        streams = translate_streams(view, self._options)
        return Unit(
            entries={key: encode(stream) for key, stream in streams.values.items()},
            refers=frozenset(streams.owners),
            depends=tuple(view.dependencies),
            findings=streams.findings,
            owners=streams.owners,
        )

    def _settings(self, view: RecordingView) -> Unit:
        self._counts.settings += 1
        value = translate_settings(self._options)
        findings = check_own_class(view, self._options)
        tickets = self._options.ssl_session_ticket_secret
        shared: frozenset[Key] = frozenset({("tickets", tickets)} if tickets else ())
        return Unit(
            entries={_SETTINGS: encode(value)},
            refers=_targets(value) | shared,
            depends=tuple(view.dependencies),
            findings=tuple(findings),
        )


def _targets(value: Settings) -> frozenset[Key]:
    refers: set[Key] = set()
    if value.default_backend is not None:
        refers.add(("endpoints", value.default_backend.endpoints))
    if value.default_certificate is not None:
        refers.add(("certificate", value.default_certificate))
    return frozenset(refers)


def _namespace_and_name(unit: Key) -> tuple[str, str]:
    namespace, _, name = unit[1].partition("/")
    return namespace, name


def _ingress_unit(namespace: str, name: str) -> Key:
    return ("ingress", f"{namespace}/{name}")
