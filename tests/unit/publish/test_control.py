"""The control loop: what of a batch is published, and what a defect does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable
from typing import Any

import pytest
from msgspec import Struct

from fastingress.control import Control
from fastingress.model import decode_change_set, encode_change_set
from fastingress.objects import Secret, Service, decode
from fastingress.objects.base import ObjectMeta
from fastingress.problems import Problem
from fastingress.publish import ProblemBook
from fastingress.store import Change, Dependency, Upsert, View
from fastingress.translate import Delta, Options, Translator
from tests.support import manifests
from tests.support.manifests import Rule
from tests.unit.publish.virtual import run
from tests.unit.translate.support import ingress, objects

SERVED = Options(ingress_class="fastingress", class_by_name=True)


class Batch(Struct):
    changes: list[Change] = []
    problems: dict[str, list[Problem]] = {}
    received: float | None = None


class Failing(Translator):
    """Fails as often as it is told to, and notes what it was asked to redo."""

    def __init__(self) -> None:
        super().__init__(Options())
        self.failures = 0
        self.asked: list[set[Dependency] | None] = []

    def update_paged(self, view: View, hit: Iterable[Dependency] | None) -> Generator[None, None, Delta]:
        self.asked.append(None if hit is None else set(hit))
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a defect")
        return (yield from super().update_paged(view, hit))


def service(port: str) -> Upsert:
    return Upsert(Service(metadata=ObjectMeta(name="web", namespace="default", annotations={"port": port})))


def named(name: str) -> Upsert:
    return Upsert(Service(metadata=ObjectMeta(name=name, namespace="default")))


def ingress_of(service: str) -> Upsert:
    found = decode(manifests.ingress("web", Rule(service), class_name="fastingress"), None).object
    assert found is not None
    return Upsert(found)


def problem(message: str) -> Problem:
    return Problem("Wrong", "error", None, message)


async def stream(*batches: Batch) -> AsyncIterator[Batch]:
    for batch in batches:
        yield batch


def codes(control: Control) -> list[str]:
    return [one.code for one in control.book.problems()]


def test_the_first_batch_is_published_even_if_it_is_empty_and_later_ones_only_if_they_matter() -> None:
    translator = Failing()
    control = Control(translator, ProblemBook())
    first = control.take(Batch())
    assert first is not None
    assert decode_change_set(encode_change_set(first.upserts, (), True)).upserts  # the settings
    assert control.take(Batch()) is None
    assert control.take(Batch([service("1")])) is not None
    assert control.take(Batch([service("1")])) is None
    assert translator.asked[0] is None
    assert translator.asked[1:] == [{Dependency("Service", "default", "web"), Dependency("Service", "*", "*")}]


def test_problems_of_a_source_are_replaced_part_by_part() -> None:
    control = Control(Failing(), ProblemBook())
    control.take(Batch(problems={"a.yaml": [problem("a")], "b.yaml": [problem("b")]}))
    control.take(Batch(problems={"a.yaml": []}))
    assert [one.message for one in control.book.problems()] == ["b"]


def test_a_defect_is_a_problem_and_the_next_pass_starts_from_everything() -> None:
    async def test() -> None:
        translator = Failing()
        control = Control(translator, ProblemBook())
        published: list[Delta] = []
        seen: list[list[str]] = []

        async def batches() -> AsyncIterator[Batch]:
            yield Batch()
            translator.failures = 1
            yield Batch([service("1")])
            seen.append(codes(control))
            yield Batch([service("2")])
            seen.append(codes(control))

        await control.follow(batches(), lambda delta, batch: published.append(delta))
        assert seen == [["InternalError"], []]
        assert translator.asked[-1] is None
        assert len(published) == 2

    run(test())


def test_a_defect_in_the_first_pass_is_raised() -> None:
    async def test() -> None:
        translator = Failing()
        translator.failures = 1
        unused: list[Any] = []
        with pytest.raises(RuntimeError, match="a defect"):
            await Control(translator, ProblemBook()).follow(stream(Batch()), lambda delta, batch: unused.append(delta))
        assert unused == []

    run(test())


def test_while_the_store_takes_a_large_batch_in_others_run() -> None:
    async def test() -> None:
        control = Control(Failing(), ProblemBook())
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        batch = Batch([named(f"web-{number}") for number in range(2000)])
        task = asyncio.create_task(other())
        await control.follow(stream(batch), lambda delta, batch: None)
        task.cancel()
        assert len(control.store.view().list("Service")) == 2000
        assert turns >= 5

    run(test())


def test_a_defect_while_the_store_takes_a_batch_in_loses_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        translator = Failing()
        control = Control(translator, ProblemBook())
        apply = control.store.apply

        def break_down(changes: Iterable[Change]) -> set[Dependency]:
            apply(changes)
            raise RuntimeError("a defect")

        async def batches() -> AsyncIterator[Batch]:
            yield Batch()
            monkeypatch.setattr(control.store, "apply", break_down)
            yield Batch([service("1")])
            monkeypatch.undo()
            yield Batch()

        published: list[Delta] = []
        await control.follow(batches(), lambda delta, batch: published.append(delta))
        assert translator.asked[1:] == [None], "the pass after it starts from everything, though its batch is empty"
        assert len(published) == 2

    run(test())


@pytest.mark.parametrize("came", [True, False])
def test_what_is_missing_is_not_told_while_it_may_still_come(came: bool) -> None:
    """The second batch brings it, or is empty."""

    async def test() -> None:
        raised: list[str] = []
        control = Control(Translator(SERVED), ProblemBook(raised=lambda one: raised.append(one.code)))
        seen: list[list[str]] = []

        async def batches() -> AsyncIterator[Batch]:
            yield Batch([ingress_of("web")])
            seen.append(list(raised))
            yield Batch([named("web")] if came else [])
            seen.append(list(raised))

        told = iter([False, True])
        await control.follow(batches(), lambda delta, batch: None, tells=lambda batch: next(told))
        assert "MissingService" not in seen[0]
        assert ("MissingService" in seen[1]) is not came

    run(test())


def test_a_secret_that_may_still_come_is_not_yet_missing() -> None:
    [shop] = objects(ingress().replace("  rules:", "  tls: [{secretName: tls}]\n  rules:"))

    async def test(comes: bool, *expected: str) -> None:
        control = Control(Translator(Options()), ProblemBook(), patience=1.0)
        seen: list[str] = []

        async def batches() -> AsyncIterator[Batch]:
            yield Batch([Upsert(shop)])
            seen.append(",".join(code for code in codes(control) if code.endswith("Secret")))
            await asyncio.sleep(0.5)
            if comes:
                yield Batch([Upsert(Secret(metadata=ObjectMeta(name="tls", namespace="default")))])
            await asyncio.sleep(1.0)
            seen.append(",".join(code for code in codes(control) if code.endswith("Secret")))

        await control.follow(batches(), lambda delta, batch: None)
        assert seen == list(expected)

    run(test(False, "", "MissingSecret"))
    run(test(True, "", "InvalidSecret"))
