"""What the tests of translation share: objects from YAML, a world to change, and a readable form of the outcome."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import yaml

from fastingress import model
from fastingress.model import Digest, Key
from fastingress.objects import Object, decode
from fastingress.problems import Origin, Problem
from fastingress.store import Change, Delete, Store, Upsert
from fastingress.translate import Delta, Options, Translator


def objects(text: str) -> list[Object]:
    """The objects of a YAML stream; any problem with them fails the test."""
    found = []
    for index, raw in enumerate(yaml.load_all(textwrap.dedent(text), yaml.CSafeLoader)):
        decoded = decode(raw, Origin("test.yaml", 1, index))
        assert not decoded.problems, decoded.problems
        assert decoded.object is not None
        found.append(decoded.object)
    return found


class World:
    """A store and a translator."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options(allow_local_endpoints=True)
        self.store = Store()
        self.translator = Translator(self.options)

    def apply(self, changes: Iterable[Change]) -> Delta:
        delta = self.translator.update(self.store.view(), self.store.apply(changes))
        self.translator.check_invariants()
        return delta

    def put(self, text: str) -> Delta:
        return self.apply(Upsert(item) for item in objects(text))

    def delete(self, text: str) -> Delta:
        return self.apply(Delete(item.key) for item in objects(text))

    def fresh(self) -> World:
        """The same objects, met for the first time and all at once."""
        other = World(self.options)
        other.store = self.store
        other.translator.update(self.store.view(), None)
        return other

    def digest(self) -> str:
        digest = Digest()
        for key, blob in self.translator.state().items():
            digest.add(key, blob)
        return digest.hex()

    def entry(self, kind: str, name: str) -> Any:
        return model.decode(self.translator.state()[kind, name], model.STRUCT_OF[kind])

    def fragment(self, host: str, ingress: str = "default/shop") -> model.Fragment:
        value: model.Fragment = self.entry("fragment", f"{host}/manifest/Ingress/{ingress}")
        return value

    def problems(self) -> list[Problem]:
        return [problem for problems in self.translator.problems().values() for problem in problems]

    def codes(self) -> list[str]:
        return sorted(problem.code for problem in self.problems())


def keys(entries: Iterable[Key], kind: str) -> list[str]:
    return sorted(name for of, name in entries if of == kind)


def sparse(state: Mapping[Key, bytes]) -> dict[str, Any]:
    """The state as plain data, defaults left out: `KIND NAME` to value, without what repeats the key."""
    plain: dict[str, Any] = {}
    for (kind, name), blob in state.items():
        value = msgspec.json.decode(msgspec.json.encode(model.decode(blob, model.STRUCT_OF[kind])))
        if kind == "fragment":
            value = {key: item for key, item in value.items() if key not in ("host", "ingress", "age")}
        plain[f"{kind} {name.replace('/manifest/Ingress/', ' of ')}"] = value
    return plain


INGRESS = """
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: shop
      annotations: {annotations}
    spec:
      ingressClassName: fastingress
      rules:
        - host: shop.example.com
          http:
            paths:
              - {{path: {path}, pathType: {type}, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""


def ingress(annotations: Mapping[str, str] | None = None, path: str = "/", type_: str = "Prefix") -> str:
    """One Ingress with one path, and these annotations; keys without a prefix get ours."""
    full = {key if "/" in key else f"fastingress.io/{key}": value for key, value in (annotations or {}).items()}
    return textwrap.dedent(INGRESS).format(annotations=msgspec.json.encode(full).decode(), path=path, type=type_)
