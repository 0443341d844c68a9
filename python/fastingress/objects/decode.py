"""From plain data, or JSON bytes, to a typed object: the defaults and the validation that an API server gives.

An object that is refused is one problem that names the field, never an exception: what goes wrong here by a mistake of
ours becomes a problem of that one object too, so that all others are served. Kinds that nobody here reads are
passed over quietly. Reading files and splitting them into documents is not done here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from fastingress.objects.base import ManagedFields, Object, ObjectMeta, shared
from fastingress.objects.cluster import Namespace, Node, Pod
from fastingress.objects.config import ConfigMap, Secret
from fastingress.objects.conversion import FieldError, convert
from fastingress.objects.fields import unknown_fields
from fastingress.objects.ingress import Ingress, IngressClass
from fastingress.objects.service import Endpoints, EndpointSlice, Service
from fastingress.objects.timestamps import canonical_timestamp
from fastingress.objects.validate_config import sound_entries
from fastingress.objects.validation import faults_of
from fastingress.problems import ObjectRef, Origin, Problem

_IN_MANIFESTS = (Ingress, IngressClass, Service, EndpointSlice, Endpoints, Secret, ConfigMap)
_IN_A_CLUSTER = (Namespace, Node, Pod)
KINDS: dict[str, type[Object]] = {kind.kind: kind for kind in (*_IN_MANIFESTS, *_IN_A_CLUSTER)}
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(target) for name, target in KINDS.items()}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NONE: dict[str, str] = {}
"""One for all objects that have none, since there are tens of thousands of them."""
MOST_NAMED = 10
"""How many faults of one object a message lists, and how many of its unknown fields become warnings."""


class Decoded(NamedTuple):
    """What came of one object: the object, or None for one that was refused or that nobody reads, and its problems."""

    object: Object | None
    problems: list[Problem]


def decode(raw: Mapping[str, Any], origin: Origin | None, *, place: str = "") -> Decoded:
    """One object, not a `List`, from plain data as YAML or JSON gives it.

    Without an origin the object is taken as coming from a cluster: it has been through an API server, so it is not
    looked over again, except for what decoding needs. `place` is kept as `Object.place`, and defaults to the origin.
    """
    kind, version = raw.get("kind"), raw.get("apiVersion")
    fault = _fault_of_type(kind, version)
    if fault is not None:
        severity, message = fault
        return Decoded(None, [Problem("InvalidObject", severity, _rough_ref(raw), message, origin)])
    target = KINDS.get(kind) if isinstance(kind, str) else None
    if target is None or (origin is not None and target in _IN_A_CLUSTER):
        return Decoded(None, [])
    if target.api_version != version:
        return Decoded(None, _wrong_version(raw, target, origin))
    return _typed(raw, target, origin, place)


def decode_json(data: bytes | msgspec.Raw, kind: str | None = None) -> Decoded:
    """One object of a cluster from its JSON.

    With a `kind` the JSON need not state kind and version, as the items of a list do not, and goes straight into the
    type of that kind.
    """
    target = KINDS.get(kind) if kind else None
    try:
        if target is not None:
            return Decoded(_with_defaults(_DECODERS[target.kind].decode(data), None, ""), [])
    except Exception:  # the way of plain data below knows nulls, and what to say
        pass
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return Decoded(None, [Problem("InvalidObject", "error", None, f"not JSON: {error}")])
    if not isinstance(raw, dict):
        return Decoded(None, [Problem("InvalidObject", "error", None, "not an object")])
    return decode(raw, None) if target is None else _typed({"kind": kind, **raw}, target, None, "")


def items_of(raw: Mapping[str, Any]) -> list[Any] | None:
    """The items of a `List`, an `IngressList` and the like; None for anything that is not a list of objects."""
    kind, items = raw.get("kind"), raw.get("items")
    if not isinstance(kind, str) or not kind.endswith("List"):
        return None
    if kind != "List" and kind[: -len("List")] not in {target.kind for target in _IN_MANIFESTS}:
        return None
    if items is None:
        return []
    if not isinstance(items, list):
        return None
    return [_typed_item(kind, raw.get("apiVersion"), item) for item in items]


def _typed_item(list_kind: str, version: Any, item: Any) -> Any:
    """An item of an `IngressList` may leave out its own kind and version."""
    if list_kind == "List" or not isinstance(item, dict) or "kind" in item:
        return item
    return {"apiVersion": version, "kind": list_kind[: -len("List")], **item}


def _typed(raw: Mapping[str, Any], target: type[Object], origin: Origin | None, place: str) -> Decoded:
    problems: list[Problem] = []
    try:
        if origin is not None:
            problems += _warnings(raw, target, origin)
            if target is ConfigMap:
                raw, left_out = sound_entries(raw)
                problems += _left_out(raw, left_out, origin)
        item = _with_defaults(convert(raw, target), origin, place)
        faults = [] if origin is None else faults_of(item)
    except FieldError as error:
        faults = [str(error)]
    except Exception as error:  # one object must not end the process
        return Decoded(None, [_our_mistake(error, raw, origin)])
    if not faults:
        return Decoded(item, problems)
    message = "; ".join(faults[:MOST_NAMED])
    if len(faults) > MOST_NAMED:
        message += f"; and {len(faults) - MOST_NAMED} more"
    return Decoded(None, [Problem("InvalidField", "error", _rough_ref(raw), message, origin), *problems])


def _left_out(raw: Mapping[str, Any], faults: list[str], origin: Origin) -> list[Problem]:
    told = [f"{fault}; this entry is left out" for fault in faults[:MOST_NAMED]]
    if len(faults) > MOST_NAMED:
        told.append(f"data: {len(faults) - MOST_NAMED} more entries are left out")
    return [Problem("InvalidField", "error", _rough_ref(raw), message, origin) for message in told]


def _our_mistake(error: Exception, raw: Mapping[str, Any], origin: Origin | None) -> Problem:
    message = f"cannot be read for a mistake in fastingress, please report it: {type(error).__name__}: {error}"
    return Problem("InternalError", "error", _rough_ref(raw), message, origin)


def _with_defaults(item: Object, origin: Origin | None, place: str) -> Object:
    """Namespace, uid and creation time as an API server would fill them in."""
    meta = item.metadata
    namespace = (meta.namespace or "default") if item.namespaced else ""
    labels, annotations = meta.labels, meta.annotations
    if origin is None:
        labels = {key: value for key, value in labels.items() if key in item.labels_read} or _NONE
        annotations = _read(annotations, item.annotations_read)
    elif LAST_APPLIED in annotations:
        annotations = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    created = meta.creation_timestamp
    filled = ObjectMeta(
        name=meta.name,
        namespace=sys.intern(namespace),
        uid=meta.uid or manifest_uid(item.kind, namespace, meta.name),
        labels=labels,
        annotations=annotations or _NONE,
        creation_timestamp=sys.intern(canonical_timestamp(created)) if created else None,
        deletion_timestamp=meta.deletion_timestamp,
    )
    if meta.managed_fields and isinstance(item, Ingress):
        item = msgspec.structs.replace(item, status_managers=_status_managers(meta.managed_fields))
    if origin is not None and not place:
        place = f"{origin.path}#{origin.index:06}"
    return msgspec.structs.replace(item, metadata=filled, origin=origin, place=place)


def _read(annotations: dict[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    """Those that are read, their values kept once: other tools annotate at length, and again and again."""
    return {key: sys.intern(value) for key, value in annotations.items() if key.startswith(prefixes)}


def _status_managers(owners: tuple[ManagedFields, ...]) -> tuple[str, ...]:
    """Of ten thousand Ingresses the managers are a few."""
    managers: tuple[str, ...] = shared(tuple(sorted({one.manager for one in owners if one.subresource == "status"})))
    return managers


def manifest_uid(kind: str, namespace: str, name: str) -> str:
    """The uid of an object that no API server gave one. The same after a restart."""
    return f"manifest/{kind}/{namespace}/{name}"


def _warnings(raw: Mapping[str, Any], target: type[Object], origin: Origin) -> list[Problem]:
    return [
        Problem("UnknownField", "warning", _rough_ref(raw), f"{path}: unknown field, ignored", origin)
        for path in unknown_fields(raw, target.kind, MOST_NAMED)
    ]


def _fault_of_type(kind: Any, version: Any) -> tuple[Any, str] | None:
    if kind is None and version is None:
        return "warning", "not a Kubernetes object: it has neither apiVersion nor kind; ignored"
    if not isinstance(kind, str) or not kind:
        return "error", "kind: Required value"
    if not isinstance(version, str) or not version:
        return "error", "apiVersion: Required value"
    return None


def _wrong_version(raw: Mapping[str, Any], target: type[Object], origin: Origin | None) -> list[Problem]:
    """A problem for a retired or misspelt version; nothing for another group's kind that has the same name."""
    version = str(raw.get("apiVersion"))
    group = version.rpartition("/")[0]
    own = target.api_version.rpartition("/")[0]
    if "." in group and group != own:
        return []
    hint = f'apiVersion: Unsupported value: "{version}": {target.kind} is read as {target.api_version}'
    if version.endswith("v1beta1"):
        hint += "; that version was removed from Kubernetes, `kubectl convert` rewrites it"
    return [Problem("UnsupportedVersion", "error", _rough_ref(raw), hint, origin)]


def _rough_ref(raw: Mapping[str, Any]) -> ObjectRef | None:
    """Names an object that may be malformed, as well as it can be named."""
    kind, meta = raw.get("kind"), raw.get("metadata")
    if not isinstance(kind, str) or not isinstance(meta, Mapping):
        return None
    name, namespace = meta.get("name"), meta.get("namespace")
    target = KINDS.get(kind)
    if target is not None and not target.namespaced:
        space = ""
    else:
        space = namespace if isinstance(namespace, str) and namespace else "default"
    uid = meta.get("uid")
    return ObjectRef.rough(kind, space, name if isinstance(name, str) else "", uid if isinstance(uid, str) else "")
