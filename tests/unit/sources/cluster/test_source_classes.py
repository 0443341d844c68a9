"""The class that is assumed where IngressClasses may not be read."""

from __future__ import annotations

from typing import Any, cast

from fastingress.objects import IngressClass
from fastingress.sources.cluster.classes import Classes
from fastingress.sources.cluster.kinds import row_for
from fastingress.sources.cluster.options import ClusterOptions
from fastingress.sources.cluster.outbox import Outbox
from fastingress.sources.cluster.trouble import Trouble
from fastingress.store import Delete, Upsert

REFLECTOR = cast(Any, None)
OTHER = b'{"metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}}'
OURS = b'{"metadata": {"name": "fastingress"}, "spec": {"controller": "fastingress.io/ingress-controller"}}'


def feed() -> tuple[Classes, Outbox]:
    outbox = Outbox(lambda: 0.0)
    row = row_for("IngressClass", ClusterOptions())
    return Classes(row, outbox, name="fastingress", controller="fastingress.io/ingress-controller"), outbox


def denied() -> Trouble:
    return Trouble("denied", "list", "ingressclasses", "", "may not", 403)


def changes(outbox: Outbox) -> list[str]:
    found = []
    for change in outbox.take(settled=True).changes:
        if isinstance(change, Upsert):
            assert isinstance(change.object, IngressClass)
            found.append(f"{change.object.metadata.name} of {change.object.spec.controller}")
        else:
            assert isinstance(change, Delete)
            found.append(f"no {change.key.name}")
    return found


def test_a_class_is_assumed_while_classes_are_denied() -> None:
    classes, outbox = feed()
    classes.trouble(REFLECTOR, denied())
    classes.trouble(REFLECTOR, denied())
    assert changes(outbox) == ["fastingress of fastingress.io/ingress-controller"]
    classes.began(REFLECTOR)
    classes.item(OTHER, "1")
    classes.synced(REFLECTOR)
    assert changes(outbox) == ["other of example.com/other", "no fastingress"]


def test_the_real_class_takes_the_place_of_the_assumed_one() -> None:
    classes, outbox = feed()
    classes.trouble(REFLECTOR, denied())
    changes(outbox)
    classes.began(REFLECTOR)
    classes.item(OURS, "1")
    classes.synced(REFLECTOR)
    assert changes(outbox) == ["fastingress of fastingress.io/ingress-controller"]


def test_classes_that_were_read_once_are_not_assumed_away() -> None:
    classes, outbox = feed()
    classes.began(REFLECTOR)
    classes.item(OTHER, "1")
    classes.synced(REFLECTOR)
    changes(outbox)
    classes.trouble(REFLECTOR, denied())
    assert changes(outbox) == []
