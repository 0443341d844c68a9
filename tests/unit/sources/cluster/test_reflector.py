from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from fastingress.sources.cluster.collection import Collection
from fastingress.sources.cluster.reflector import Reflector, Timing
from fastingress.sources.cluster.timing import ORDINARY
from tests.unit.sources.cluster.script import (
    Notes,
    Server,
    Step,
    answer,
    bookmark,
    event,
    failed,
    following,
    hang,
    item,
    page,
    run,
    serving,
    status,
    stream,
    until,
)

SERVICES = Collection("Service", "/api/v1/services")
QUICK = replace(ORDINARY, denied=0.2, refused=0.05, longest=0.1, steady=0.3)
LIST = [event("ADDED", "a", 3), event("ADDED", "b", 7), bookmark(10, ends_list=True)]
NO_STREAMS = status(422, "Invalid", "sendInitialEvents: Forbidden")


@contextlib.asynccontextmanager
async def reflecting(
    *steps: Step, collection: Collection = SERVICES, timing: Timing = QUICK, **more: Any
) -> AsyncIterator[tuple[Server, Notes, Reflector]]:
    async with serving(*steps) as (server, connection):
        notes = Notes()
        reflector = Reflector(connection.lane("watch"), collection, notes, random=lambda: 0.5, timing=timing, **more)
        async with following(reflector):
            yield server, notes, reflector


def test_a_list_that_comes_as_a_stream_goes_on_as_a_watch() -> None:
    async def test() -> None:
        more = [event("MODIFIED", "a", 11), event("DELETED", "b", 12)]
        collection = replace(SERVICES, field_selector="type!=x", label_selector="app=y")
        async with reflecting(stream(*LIST, *more), collection=collection) as (server, notes, reflector):
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "b", "synced", "a", "-b"]
            assert notes.versions == ["3", "7", "11"]
            query = server.requests[0].query
            assert (query["sendInitialEvents"], query["resourceVersionMatch"]) == ("true", "NotOlderThan")
            assert (query["fieldSelector"], query["labelSelector"]) == ("type!=x", "app=y")
            assert "resourceVersion" not in query
            assert (reflector.relists, reflector.resumes, notes.troubles) == (0, 0, [])

    run(test())


def test_the_versions_of_a_list_are_no_place_to_resume_from() -> None:
    async def test() -> None:
        broken = stream(*LIST[:2], then="reset")
        async with reflecting(broken, stream(*LIST)) as (server, notes, reflector):
            await until(lambda: reflector.is_synced)
            assert notes.told == ["began", "a", "b", "began", "a", "b", "synced"]
            assert [request.query.get("resourceVersion") for request in server.requests] == [None, None]
            assert (reflector.lists, reflector.relists) == (2, 0)

    run(test())


@pytest.mark.parametrize(
    ("then", "last", "reason"),
    [
        ("reset", b"", "cut"),
        ("end", event("MODIFIED", "a", 12)[:-20], "cut"),
        ("end", b"", "ended"),
        ("hold", b"", "silent"),
    ],
)
def test_a_watch_that_breaks_off_goes_on_from_the_last_version_without_a_list(
    then: str, last: bytes, reason: str
) -> None:
    async def test() -> None:
        timing = replace(QUICK, watch=0.2, slack=0.1)
        broken = stream(event("MODIFIED", "a", 11), last, then=then)
        steps = [stream(*LIST, then="reset"), broken, stream(event("MODIFIED", "b", 12))]
        async with reflecting(*steps, timing=timing) as (server, notes, reflector):
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "b", "synced", "a", "b"]
            assert [request.query.get("resourceVersion") for request in server.requests] == [None, "10", "11"]
            assert reflector.resumed == {"cut": 2} if reason == "cut" else {"cut": 1, reason: 1}
            assert (reflector.relists, notes.troubles) == (0, [])

    run(test())


def test_bookmarks_move_the_place_to_resume_from() -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST, bookmark(99), then="reset"), stream()) as (server, _, _reflector):
            await until(lambda: len(server.requests) == 2)
            assert server.requests[1].query["resourceVersion"] == "99"
            assert server.requests[1].query["allowWatchBookmarks"] == "true"

    run(test())


def test_the_stream_of_a_list_gives_way_to_a_watch_that_is_as_short_as_others() -> None:
    async def test() -> None:
        timing = replace(QUICK, watch=0.2, slack=5.0)
        async with reflecting(stream(*LIST), stream(), timing=timing) as (server, notes, reflector):
            await until(lambda: len(server.requests) == 2)
            assert server.requests[1].query["timeoutSeconds"] == "1"
            await until(lambda: reflector.resumed == {"ended": 1})
            assert notes.troubles == []

    run(test())


@pytest.mark.parametrize("gone", [status(410, "Expired", "too old"), stream(failed(410, "too old"))])
def test_a_version_that_the_server_has_forgotten_means_a_new_list_at_once(gone: Step) -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST, then="end"), gone, stream(*LIST)) as (server, notes, reflector):
            await until(lambda: notes.told.count("synced") == 2)
            assert notes.told == ["began", "a", "b", "synced"] * 2
            assert reflector.relisted == {"gone": 1}
            assert "resourceVersion" not in server.requests[2].query
            assert notes.troubles == []

    run(test())


def test_a_server_without_such_streams_is_read_in_pages_and_remembered() -> None:
    async def test() -> None:
        pages = [page([item("a", 3)], "10", "next"), page([item("b", 7)], "10")]
        async with reflecting(NO_STREAMS, *pages, stream(), page=1) as (server, notes, reflector):
            await until(lambda: len(server.requests) == 4)
            assert notes.told == ["began", "a", "b", "synced"]
            assert notes.versions == ["3", "7"]
            assert [request.query.get("continue") for request in server.requests] == [None, None, "next", None]
            assert server.requests[1].query["limit"] == "1"
            assert server.requests[3].query["resourceVersion"] == "10"
            other = Notes()
            server.steps = [page([]), stream()]
            async with following(Reflector(reflector._api, SERVICES, other)):
                await until(lambda: other.told == ["began", "synced"])
            assert "sendInitialEvents" not in server.requests[4].query
            assert (notes.troubles, reflector.resumes) == ([], 0)

    run(test())


def test_a_refusal_that_pages_meet_too_is_not_taken_for_a_server_without_streams() -> None:
    async def test() -> None:
        async with reflecting(status(400, "BadRequest", "no such field label")) as (_, notes, reflector):
            await until(lambda: notes.troubles)
            assert reflector._api.connection.streaming_lists
            assert notes.troubles[0] is not None
            assert "cannot list services in all namespaces: 400: no such field label" in notes.troubles[0].message

    run(test())


def test_a_server_that_ignores_the_wish_for_a_stream_is_read_in_pages() -> None:
    async def test() -> None:
        never_marked = stream(event("ADDED", "a", 3), then="end")
        async with reflecting(never_marked, page([item("a", 3)]), stream()) as (_, notes, reflector):
            await until(lambda: reflector.version == "10")
            assert notes.told == ["began", "a", "began", "a", "synced"]

    run(test())


def test_pages_that_expire_in_the_middle_are_read_again_from_the_first() -> None:
    async def test() -> None:
        steps = [page([item("a", 3)], "10", "next"), status(410, "Expired"), page([item("b", 7)], "12"), stream()]
        async with reflecting(NO_STREAMS, *steps) as (server, notes, reflector):
            reflector._api.connection.streaming_lists = True
            server.steps.insert(3, NO_STREAMS)
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "began", "b", "synced"]
            assert "continue" not in server.requests[4].query

    run(test())


def test_a_list_of_null_is_an_empty_one() -> None:
    async def test() -> None:
        async with reflecting(NO_STREAMS, page(None), stream()) as (_, notes, reflector):
            await until(lambda: reflector.is_synced)
            assert notes.told == ["began", "synced"]

    run(test())


BAD = [
    b'{"type":"ADDED","object":17}\n',
    b'{"type":"ADDED","object":{"metadata":null}}\n',
    b'{"type":"MODIFIED","object":{"metadata":{"resourceVersion":5}}}\n',
    b'{"type":"ADDED","object":null}\n',
]


@pytest.mark.parametrize("bad", BAD)
def test_one_bad_object_is_passed_on_and_ends_nothing(bad: bytes) -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST, bad, event("ADDED", "c", 12))) as (server, notes, reflector):
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "b", "synced", "?", "c"]
            assert (len(server.requests), notes.troubles) == (1, [])

    run(test())


def test_bad_objects_of_pages_are_passed_on_too() -> None:
    async def test() -> None:
        async with reflecting(NO_STREAMS, page([17, item("a", 3), None]), stream()) as (_, notes, reflector):
            await until(lambda: reflector.is_synced)
            assert notes.told == ["began", "?", "a", "?", "synced"]

    run(test())


def test_a_line_that_is_no_json_is_asked_for_again_and_then_passed_on() -> None:
    async def test() -> None:
        bad = b'{"type":"MODIFIED","object":{"metadata":{"name":"a"},"spec":\x00}}\n'
        again = stream(bad, event("ADDED", "c", 12))
        async with reflecting(stream(*LIST, bad), again) as (server, notes, reflector):
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "b", "synced", "?", "c"]
            assert server.requests[1].query["resourceVersion"] == "10"
            assert reflector.relists == 0

    run(test())


def test_a_line_that_was_garbled_once_costs_nothing() -> None:
    async def test() -> None:
        again = stream(event("MODIFIED", "a", 11), event("ADDED", "c", 12))
        garbled = event("MODIFIED", "a", 11)[:-9] + b"\n"
        async with reflecting(stream(*LIST, garbled, event("ADDED", "c", 12)), again) as (_, notes, reflector):
            await until(lambda: reflector.version == "12")
            assert notes.told == ["began", "a", "b", "synced", "a", "c"]

    run(test())


def test_a_sink_that_trips_over_an_object_sees_the_next_one() -> None:
    async def test() -> None:
        async with serving(stream(*LIST)) as (_, connection):
            notes = Notes()
            notes.trip_over = "a"
            reflector = Reflector(connection.lane("watch"), SERVICES, notes)
            async with following(reflector):
                await until(lambda: "synced" in notes.told)
            assert notes.told == ["began", "a", "b", "synced"]

    run(test())


@pytest.mark.parametrize(
    "fault",
    [
        status(429, "TooManyRequests", "later", {"Retry-After": "0"}),
        status(500, "InternalError", "etcd"),
        status(503, "ServiceUnavailable"),
        status(504, "Timeout", "Too large resource version"),
        stream(failed(500, "etcd")),
        stream(failed(504, "Too large resource version")),
        answer(b"<html>hello</html>\n"),
        stream(b'{"type":"SURPRISE","object":{}}\n'),
    ],
)
def test_a_server_that_is_unwell_is_told_of_and_asked_again_from_where_we_were(fault: Step) -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST, then="end"), fault, fault, stream(bookmark(11))) as (
            server,
            notes,
            reflector,
        ):
            await until(lambda: reflector.version == "11")
            assert [request.query.get("resourceVersion") for request in server.requests] == [None, "10", "10", "10"]
            assert reflector.relists == 0
            assert notes.troubles[0] is not None
            assert (notes.troubles[0].state, notes.troubles[0].verb) == ("failing", "watch")
            assert notes.troubles[-1] is None

    run(test())


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    async def test() -> None:
        later = status(429, "TooManyRequests", "later", {"Retry-After": "30"})
        async with reflecting(stream(*LIST, then="end"), later, stream()) as (server, notes, reflector):
            await until(lambda: notes.troubles)
            await asyncio.sleep(0.5)
            assert len(server.requests) == 2
            reflector.renew()
            await until(lambda: notes.troubles[-1] is None or len(server.requests) == 3)

    run(test())


def test_a_version_that_never_becomes_known_is_given_up_after_a_while() -> None:
    async def test() -> None:
        timing = replace(QUICK, stuck=0.3)
        too_new = status(504, "Timeout", "Too large resource version")
        async with reflecting(stream(*LIST, then="end"), too_new, timing=timing) as (server, notes, reflector):
            await until(lambda: len(server.requests) > 2 and "sendInitialEvents" in server.requests[-1].query)
            server.steps = [stream(*LIST)]
            await until(lambda: notes.told.count("synced") == 2)
            assert reflector.relisted == {"stuck": 1}

    run(test())


def test_what_is_denied_is_named_with_verb_resource_and_namespace_and_tried_again() -> None:
    async def test() -> None:
        path = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"
        collection = Collection("Ingress", path, namespace="shop")
        denied = status(403, "Forbidden", "no")
        async with reflecting(denied, denied, stream(*LIST), collection=collection) as (_, notes, reflector):
            await until(lambda: reflector.is_synced)
            denial, cleared = notes.troubles
            assert denial is not None
            assert (denial.state, denial.verb, denial.resource) == ("denied", "watch", "ingresses.networking.k8s.io")
            assert (denial.namespace, denial.status) == ("shop", 403)
            told = "not allowed to watch ingresses.networking.k8s.io in namespace shop: 403: no"
            assert denial.message == told
            assert cleared is None

    run(test())


def test_a_server_that_goes_and_returns_is_told_of_and_followed_on_without_a_list() -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST), stream(event("ADDED", "c", 11))) as (server, notes, reflector):
            await until(lambda: reflector.is_synced)
            await server.stop()
            await until(lambda: notes.troubles)
            assert notes.troubles[0] is not None
            assert notes.troubles[0].state == "unreachable"
            await server.start()
            await until(lambda: reflector.version == "11")
            assert notes.told == ["began", "a", "b", "synced", "c"]
            assert notes.troubles[-1] is None
            assert reflector.resumed == {"cut": 1}

    run(test())


def test_renewing_goes_on_at_once_from_the_last_version() -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST), hang, stream(bookmark(11))) as (server, notes, reflector):
            await until(lambda: reflector.is_synced)
            reflector.renew()
            await until(lambda: len(server.requests) == 2)
            reflector.renew()
            await until(lambda: reflector.version == "11")
            assert reflector.resumed == {"renewed": 1}
            assert reflector.relists == 0
            assert notes.told == ["began", "a", "b", "synced"]

    run(test())


def test_renewing_leaves_a_list_alone_that_is_getting_on_but_not_one_that_hangs() -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST[:2]), stream(*LIST), timing=replace(QUICK, steady=0.2)) as (
            server,
            notes,
            reflector,
        ):
            await until(lambda: notes.told == ["began", "a", "b"])
            reflector.renew()
            await asyncio.sleep(0.05)
            assert len(server.requests) == 1
            await asyncio.sleep(0.25)
            reflector.renew()
            await until(lambda: reflector.is_synced)

    run(test())


def test_watches_that_are_closed_at_once_are_not_opened_without_a_pause() -> None:
    async def test() -> None:
        timing = replace(QUICK, longest=30.0)
        async with reflecting(stream(*LIST, then="end"), stream(then="end"), timing=timing) as (server, _, _reflector):
            await until(lambda: len(server.requests) >= 3)
            await asyncio.sleep(0.5)
            assert len(server.requests) <= 6

    run(test())


def test_a_long_run_of_events_lets_others_have_their_turn() -> None:
    async def test() -> None:
        events = b"".join(event("ADDED", f"n{number}", number) for number in range(5_000))
        turns = 0
        async with reflecting(stream(events, bookmark(9_000, ends_list=True))) as (_, _notes, reflector):
            while not reflector.is_synced:
                await asyncio.sleep(0)
                turns += bool(_notes.told)
        assert turns >= 5

    run(test())


ONE = Collection("Secret", "/api/v1/namespaces/shop/secrets", namespace="shop", name="tls")


def test_one_object_is_followed_by_its_name() -> None:
    async def test() -> None:
        async with reflecting(stream(*LIST), collection=ONE) as (server, _, reflector):
            await until(lambda: reflector.is_synced)
            assert server.requests[0].query["fieldSelector"] == "metadata.name=tls"

    run(test())


@pytest.mark.parametrize(("got", "told"), [(answer(item("tls", 3)), ["tls"]), (status(404, "NotFound"), [])])
def test_one_object_needs_no_permission_to_list_where_streams_are_not_sent(got: Any, told: list[str]) -> None:
    async def by_path(request: Any) -> Any:
        assert "watch" in request.query or request.path == f"{ONE.path}/tls"
        if "sendInitialEvents" in request.query:
            return await NO_STREAMS(request)
        if "watch" not in request.query:
            return await got(request)
        return await stream(event("ADDED", "tls", 20))(request)

    async def test() -> None:
        async with reflecting(by_path, collection=ONE) as (server, notes, reflector):
            await until(lambda: reflector.version == "20")
            assert notes.told == ["began", *told, "synced", "tls"]
            assert "resourceVersion" not in server.requests[2].query

    run(test())


def test_one_absent_object_is_asked_for_again_when_its_watch_ends() -> None:
    steps = [NO_STREAMS, status(404), stream(bookmark(30), then="end"), answer(item("tls", 31)), stream()]

    async def test() -> None:
        async with reflecting(*steps, collection=ONE) as (_, notes, reflector):
            await until(lambda: notes.told == ["began", "synced", "began", "tls", "synced"])
            assert reflector.relisted == {"unversioned": 1}

    run(test())
