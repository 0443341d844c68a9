"""Asks the API server, at the start, which permissions are missing, so that all of them are named at once.

What is watched finds out by itself when it may not be; this tells it beforehand, and it alone tells it of what is only
written: status, Events, the Lease. Nothing depends on the answer: where the question cannot be put, nothing is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from fastingress.api import ApiError, Calls, Unreachable
from fastingress.problems import Problem
from fastingress.sources.cluster.kinds import Grant, Row
from fastingress.sources.cluster.words import denial, denied

_log = logging.getLogger("fastingress.cluster")

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE = 8
AGAIN = 30.0
"""Seconds after which a permission that is missing is asked for again."""


class Missing(NamedTuple):
    """A permission that is not there."""

    grant: Grant
    verbs: tuple[str, ...]

    def problem(self) -> Problem:
        """To be shown."""
        return denial(self.grant.row, self.verbs, self.grant.namespace, self.grant.names)

    def __str__(self) -> str:
        return denied(self.grant.row, self.verbs, self.grant.namespace, self.grant.names)


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status


_REVIEW = msgspec.json.Decoder(_Review)


async def missing(calls: Calls, grants: Iterable[Grant]) -> list[Missing]:
    """What of the grants is not there, in their order. Raises `ApiError` and `Unreachable`."""
    wanted = list(grants)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def verbs_of(grant: Grant) -> tuple[str, ...]:
        return tuple([verb for verb in grant.row.verbs if not await _allowed(calls, slots, grant, verb)])

    found = await asyncio.gather(*map(verbs_of, wanted))
    return [Missing(grant, verbs) for grant, verbs in zip(wanted, found, strict=True) if verbs]


async def follow(
    calls: Calls,
    grants: Iterable[Grant],
    tell: Callable[[list[Missing]], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Tells what is missing, again whenever that is less, until nothing is.

    Asks again only for what was missing. Says nothing as long as the API server does not answer.
    """
    rest = list(grants)
    while True:
        try:
            found = await missing(calls, rest)
        except Unreachable:
            await sleep(1.0)
            continue
        except (ApiError, msgspec.MsgspecError) as error:
            _log.warning("which permissions are missing cannot be asked: %s", error)
            await sleep(AGAIN)
            continue
        tell(found)
        if not found:
            return
        rest = [one.grant for one in found]
        await sleep(AGAIN)


async def _allowed(calls: Calls, slots: asyncio.Semaphore, grant: Grant, verb: str) -> bool:
    for name in grant.names or ("",):
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": dict(_attributes(grant.row, verb, grant.namespace, name))},
        }
        async with slots:
            answer = await calls.call("POST", _PATH, body=body)
        if not _REVIEW.decode(answer).status.allowed:
            return False
    return True


def _attributes(row: Row, verb: str, namespace: str, name: str) -> Iterator[tuple[str, str]]:
    plural, _, sub = row.resource.partition("/")
    yield "group", row.group
    yield "version", row.version
    yield "resource", plural
    yield "subresource", sub
    yield "verb", verb
    yield "namespace", namespace
    yield "name", name
